import javax.inject.Inject

plugins {
    id("com.android.library") // 9 or newer: Kotlin is built in
}

// Public key (PEM) of who must have signed the bundle: -Pbundle_name.key=release.pub
val key = providers.gradleProperty("bundle_name.key").map {
    val text = rootProject.file(it).readText()
    require("-----BEGIN PUBLIC KEY-----" in text) { "bundle_name.key: $it is no public key (PEM)" }
    text
}.getOrElse("")
if (key.isEmpty() && projectDir.resolveSibling("bundle.sig").exists()) {
    logger.warn("bundle_name: signed, and its signature is not checked: -Pbundle_name.key=release.pub")
}

// Below the app's own: what a build leaves in the bundle, `edgekit verify` takes for added files.
layout.buildDirectory = rootProject.layout.buildDirectory.dir("bundle_name")

android {
    namespace = "edgekit.bundle_name"
    compileSdk = 36

    defaultConfig {
        minSdk = 26
        testInstrumentationRunner = "androidx.test.runner.AndroidJUnitRunner"
        consumerProguardFiles("consumer-rules.pro")
        buildConfigField("String", "BUNDLE_KEY", "\"${key.trim().replace("\r", "").replace("\n", "\\n")}\"")
    }
    buildFeatures { buildConfig = true }
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }
    testOptions { unitTests.all { it.systemProperty("bundle", projectDir.parent) } }
}

dependencies {
RUNTIME_DEPENDENCIES
    testImplementation("junit:junit:4.13.2")
    androidTestImplementation("androidx.test:runner:1.6.2")
    androidTestImplementation("androidx.test.ext:junit:1.2.1")
}

/** Files of the bundle, as they lie there, below one folder of the assets. */
abstract class PackBundle : DefaultTask() {
    @get:InputFiles
    @get:PathSensitive(PathSensitivity.RELATIVE)
    abstract val files: ConfigurableFileCollection

    @get:OutputDirectory
    abstract val assets: DirectoryProperty

    @get:Inject
    abstract val system: FileSystemOperations

    @TaskAction
    fun pack() {
        system.sync {
            from(files.asFileTree)
            into(assets.dir("bundle_name"))
        }
    }
}

val bundle = fileTree(projectDir.parentFile)
val runs = bundle.matching {
    include("bundle.json", "bundle.sig", "contract.json", "labels.txt", "wordpiece.json", "artifacts/**")
}
val proves = bundle.matching { include("golden/**") }

androidComponents {
    onVariants { variant ->
        val name = variant.name.replaceFirstChar(Char::uppercase)
        val pack = tasks.register<PackBundle>("pack${name}Bundle") { files.from(runs) }
        variant.sources.assets?.addGeneratedSourceDirectory(pack, PackBundle::assets)
        val packGolden = tasks.register<PackBundle>("pack${name}Golden") { files.from(proves) }
        variant.androidTest?.sources?.assets?.addGeneratedSourceDirectory(packGolden, PackBundle::assets)
    }
}
