//! A PKCS#11 module for tests.
