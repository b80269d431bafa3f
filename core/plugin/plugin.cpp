#include "core/plugin/plugin.h"

#include <dlfcn.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>

#include "core/base/assert.h"
#include "core/base/error.h"
#include "core/plugin/entry.h"

namespace edt {
namespace {

namespace fs = std::filesystem;

// The build that a plugin belongs to. Looked for in the file: one of another build may lack what
// the loader resolves first, and its message would name a symbol instead of the build.
std::optional<std::string> build_of(const fs::path& path) {
  if (!fs::is_regular_file(path)) return std::nullopt;
  std::ifstream in(path, std::ios::binary);
  const std::string content{std::istreambuf_iterator<char>(in), {}};
  const std::string_view mark = EDT_PLUGIN_BUILD_MARK;
  const auto at = content.find(mark);
  if (at == content.npos) return std::nullopt;
  return content.c_str() + at + mark.size();  // up to its zero
}

// Why it was not loaded; empty: it was.
std::string load(const fs::path& path, const void*& functions) {
  const auto build = build_of(path);
  if (!build) return fmt::format("{} is no plugin of edt, or cannot be read", path.string());
  if (*build != EDT_BUILD_IDENTITY) {
    return fmt::format("{} belongs to edt {}, this is edt {}", path.string(), *build,
                       EDT_BUILD_IDENTITY);
  }
  void* const handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) return fmt::format("{} does not load: {}", path.string(), dlerror());
  const void* const entry = dlsym(handle, "edt_plugin");
  EDT_ASSERT(entry != nullptr);  // EDT_PLUGIN defines both
  functions = *static_cast<const void* const*>(entry);
  return {};
}

}  // namespace

std::vector<fs::path> plugin_folders() {
  if (const char* folder = std::getenv("EDT_PLUGINS"); folder && *folder) return {folder};
  const fs::path own = fs::read_symlink("/proc/self/exe").parent_path();
  return {own, (own / EDT_PLUGIN_FOLDER).lexically_normal()};
}

Plugin load_plugin(const std::string& file, const std::vector<fs::path>& folders) {
  Plugin plugin;
  std::vector<std::string> names;
  for (const fs::path& folder : folders) {
    names.push_back(folder.string());
    if (!fs::exists(folder / file)) continue;
    plugin.installed = true;
    plugin.absence = load(folder / file, plugin.functions);
    return plugin;
  }
  plugin.absence =
      fmt::format("{} is not installed, it was looked for in {}", file, fmt::join(names, " and "));
  return plugin;
}

}  // namespace edt
