"""The command `ds`: thin shells over typed functions of `svr_baselines` and `ds_metrics`."""
