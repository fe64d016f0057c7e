plugins {
    id("com.android.library") version "9.0.0" apply false
    id("com.android.application") version "9.0.0" apply false
}

// Beside the bundle: what a build leaves in it, `edgekit verify` takes for added files.
layout.buildDirectory = rootDir.resolveSibling("BUNDLE_TITLE-build")
