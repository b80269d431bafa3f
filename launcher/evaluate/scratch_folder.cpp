#include "launcher/evaluate/scratch_folder.h"

#include <stdlib.h>

#include <cerrno>

#include "core/base/error.h"
#include "core/storage/access.h"

namespace edt {

ScratchFolder::ScratchFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "edt-XXXXXX").string();
  require<SystemError>(mkdtemp(name.data()) != nullptr, "file", "cannot make {}: {}", name,
                       error_text(errno, name));
  path_ = name;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace edt
