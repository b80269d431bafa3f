#include "launcher/evaluate/scratch_folder.h"

#include <stdlib.h>

#include <cerrno>
#include <cstdlib>

#include "core/base/error.h"
#include "core/storage/access.h"
#include "core/storage/partial_file.h"

namespace edt {

ScratchFolder::ScratchFolder() {
  std::error_code code;
  const std::filesystem::path where = std::filesystem::temp_directory_path(code);
  const char* variable = std::getenv("TMPDIR");
  require<UsageError>(!code, "file", "TMPDIR is {}, where temporary files should go: {}",
                      variable != nullptr ? variable : "not set", code.message());
  std::string name = (where / "edt-XXXXXX").string();
  const SignalDelay until_it_is_listed;
  if (mkdtemp(name.data()) == nullptr) {
    const int reason = errno;
    fail_for<SystemError>(reason, "file", "cannot make {}: {}", name, error_text(reason, name));
  }
  path_ = name;
  slot_ = list_for_removal(path_);
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
  strike_off_removal(slot_);
}

}  // namespace edt
