"""The routes, one module for each page; `app` includes the router of each."""
