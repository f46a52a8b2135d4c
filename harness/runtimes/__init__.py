"""Runtimes: which are declared, which interpreters are on this machine, and the environments built from them."""
