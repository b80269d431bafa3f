#include "core/storage/text_lines.h"

#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "core/storage/durable_file.h"
#include "core/storage/open_to_read.h"

namespace edt {

TextLines::TextLines(std::filesystem::path path)
    : path_(std::move(path)), file_(nullptr, std::fclose) {
  const int descriptor = open_to_read(path_);
  file_.reset(fdopen(descriptor, "r"));
  if (file_) return;
  ::close(descriptor);
  fail_errno("open", path_);
}

TextLines::~TextLines() { std::free(line_); }

bool TextLines::next(std::string& line) {
  errno = 0;
  const ssize_t bytes = getline(&line_, &room_, file_.get());
  if (bytes < 0) {
    if (std::ferror(file_.get()) || errno == ENOMEM) fail_errno("read", path_);
    return false;
  }
  ended_ = bytes > 0 && line_[bytes - 1] == '\n';
  line.assign(line_, static_cast<std::size_t>(bytes) - (ended_ ? 1 : 0));
  return true;
}

void TextLines::go_to(std::uint64_t offset) {
  if (fseeko(file_.get(), static_cast<off_t>(offset), SEEK_SET) != 0) fail_errno("read", path_);
}

}  // namespace edt
