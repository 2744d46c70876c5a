"""A local OSS and VOD that speak the real wire protocols to the unmodified SDKs.

Nothing here imports the rest of the package: what the sandbox says happened is a second, independent opinion.
"""
