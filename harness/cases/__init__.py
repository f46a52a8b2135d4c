"""Scenario files, scripts and sites, and the cases made from them."""
