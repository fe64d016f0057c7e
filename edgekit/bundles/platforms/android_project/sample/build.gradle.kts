plugins {
    id("com.android.application")
}

layout.buildDirectory = rootProject.layout.buildDirectory.dir("sample")

android {
    namespace = "edgekit.bundle_name.sample"
    compileSdk = 36

    defaultConfig {
        minSdk = 26
        targetSdk = 36
        versionCode = 1
        versionName = "BUNDLE_VERSION"
    }
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }
}

dependencies {
    implementation(project(":library"))
}
