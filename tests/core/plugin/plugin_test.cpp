#include "core/plugin/plugin.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/places.h"
#include "tests/support/temp_dir.h"

namespace edt {
namespace {

namespace fs = std::filesystem;

const fs::path kPlugins = test::in_build("tests/core/plugin/plugins");

Plugin load(const std::string& file) { return load_plugin(file, {"/nowhere", kPlugins}); }

TEST(Plugin, OffersItsFunctions) {
  const Plugin plugin = load("libedt_good.so");
  ASSERT_EQ(plugin.absence, "");
  EXPECT_TRUE(plugin.installed);
  EXPECT_EQ(*static_cast<const int*>(plugin.functions), 42);
}

TEST(Plugin, ThatIsNotThereIsNamedWithTheFoldersThatWereLookedIn) {
  const Plugin plugin = load("libedt_nothing.so");
  EXPECT_EQ(plugin.functions, nullptr);
  EXPECT_FALSE(plugin.installed);
  EXPECT_EQ(
      plugin.absence,
      "libedt_nothing.so is not installed, it was looked for in /nowhere and " + kPlugins.string());
}

// Before it is loaded: what it lacks would be a symbol of the other build.
TEST(Plugin, OfAnotherBuildIsRefusedByTheNamesOfBoth) {
  const Plugin plugin = load("libedt_other.so");
  EXPECT_EQ(plugin.functions, nullptr);
  EXPECT_TRUE(plugin.installed);
  EXPECT_TRUE(plugin.absence.starts_with(
      (kPlugins / "libedt_other.so").string() +
      " belongs to edt 0.0.9 (commit 0123456789ab, interface fedcba987654, Release, GNU 12.2.0), "
      "this is edt "))
      << plugin.absence;
}

TEST(Plugin, WhoseLibraryIsMissingNamesTheLibrary) {
  const Plugin plugin = load("libedt_lacking.so");
  EXPECT_EQ(plugin.functions, nullptr);
  EXPECT_TRUE(plugin.installed);
  EXPECT_EQ(plugin.absence, (kPlugins / "libedt_lacking.so").string() +
                                " does not load: libedt_absent.so: cannot open shared object file: "
                                "No such file or directory");
}

TEST(Plugin, ThatIsAnotherFileIsRefused) {
  const test::TempDir folder;
  std::ofstream(folder.path() / "libedt_text.so") << "no plugin";
  fs::create_directory(folder.path() / "libedt_folder.so");
  for (const std::string file : {"libedt_text.so", "libedt_folder.so"}) {
    const Plugin plugin = load_plugin(file, {folder.path()});
    EXPECT_TRUE(plugin.installed);
    EXPECT_EQ(plugin.absence,
              (folder.path() / file).string() + " is no plugin of edt, or cannot be read");
  }
}

TEST(Plugin, LiesBesideTheProgramOrWithItsLibrariesOrWhereTheEnvironmentSays) {
  const auto folders = plugin_folders();
  ASSERT_EQ(folders.size(), 2);
  EXPECT_EQ(folders[0], fs::read_symlink("/proc/self/exe").parent_path());
  EXPECT_EQ(folders[1].filename(), "plugins");
  setenv("EDT_PLUGINS", "/elsewhere", 1);
  EXPECT_EQ(plugin_folders(), std::vector<fs::path>{"/elsewhere"});
  unsetenv("EDT_PLUGINS");
}

}  // namespace
}  // namespace edt
