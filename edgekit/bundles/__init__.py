"""Bundles: what an app team gets. They say what is in them and can be verified before use.

`contents` is `bundle.json`, `contract` what an app does before and after the model, `golden` cases
that prove it in any language, `checking` refuses what was changed, `signing` says who made it,
`platforms` holds what each platform gets besides, `packaged` is what a Python bundle runs.
"""
