#include "core/storage/open_to_read.h"

#include <fcntl.h>

#include <cerrno>

#include "core/base/error.h"
#include "core/storage/access.h"
#include "core/storage/durable_file.h"
#include "core/storage/missing_path.h"

namespace edt {

int open_to_read(const std::filesystem::path& path) {
  // Not to wait for the writer of a pipe.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor >= 0) return descriptor;
  const int code = errno;
  require<DataError>(code != ENOENT && code != ENOTDIR, "file", "{} does not exist{}",
                     path.string(), missing_path_hint(path));
  if (code == EACCES) fail<DataError>("file", "{}", reading_problem(path));
  const bool is_name = code == ELOOP || code == ENAMETOOLONG || code == ENXIO;
  require<DataError>(!is_name, "file", "cannot open {}: {}", path.string(), error_text(code, path));
  errno = code;
  fail_errno("open", path);
}

}  // namespace edt
