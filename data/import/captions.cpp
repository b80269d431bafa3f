#include "data/import/captions.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "core/base/error.h"
#include "core/base/named_error.h"
#include "core/json/json_text.h"
#include "core/storage/access.h"
#include "core/storage/durable_file.h"
#include "core/storage/file_kind.h"
#include "core/storage/hdf5.h"
#include "core/storage/missing_path.h"
#include "core/storage/text_lines.h"
#include "core/unicode/unicode.h"
#include "data/text.h"

namespace edt::data {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kReadOfCaptions =
    "lines of text, a JSON list and an HDF5 file with 'captions' are read";

class CaptionLines : public CaptionList {
 public:
  explicit CaptionLines(const fs::path& path) : CaptionList(path) {
    std::string line;
    for (rewind(); next(line);) ++size_;
    rewind();
  }

  std::uint64_t size() const override { return size_; }
  std::string text(std::uint64_t index) override {
    if (index < at_) rewind();
    std::string line;
    while (at_ <= index) {
      require<DataError>(next(line), "import", "{}: ends before line {}, it had {}",
                         path().string(), at_ + 1, size_);
      ++at_;
    }
    return line;
  }

 private:
  void rewind() {
    lines_.emplace(path());
    at_ = 0;
    is_first_ = true;
  }
  bool next(std::string& line) {
    if (!lines_->next(line)) return false;
    if (is_first_ && line.starts_with(kByteOrderMark)) line.erase(0, kByteOrderMark.size());
    is_first_ = false;
    if (line.ends_with('\r')) line.pop_back();
    return true;
  }

  std::optional<TextLines> lines_;
  std::uint64_t size_ = 0, at_ = 0;  // the line that comes next
  bool is_first_ = true;
};

class CaptionsOfJson : public CaptionList {
 public:
  explicit CaptionsOfJson(const fs::path& path) : CaptionList(path) {
    constexpr std::uint64_t kMostBytes = std::uint64_t{4} << 30;
    const nlohmann::json json = parse_json(read_text(path, kMostBytes), path.string());
    require<DataError>(json.is_array(), "import", "{}: is no JSON list of texts", path.string());
    for (const nlohmann::json& text : json) {
      require<DataError>(text.is_string(), "import", "{}: caption {} is {}, no text", path.string(),
                         texts_.size(), dump_json(text).substr(0, 100));
      texts_.push_back(text.get<std::string>());
    }
  }
  std::uint64_t size() const override { return texts_.size(); }
  std::string text(std::uint64_t index) override { return texts_.at(index); }

 private:
  std::vector<std::string> texts_;
};

class CaptionsOfHdf5 : public CaptionList {
 public:
  explicit CaptionsOfHdf5(const fs::path& path)
      : CaptionList(path), file_(h5::File::open(path)), set_(file_.dataset(kCaptionsName)) {
    require<DataError>(set_.shape().size() == 1, "import", "{}: shape {}, expected [N]",
                       set_.label(), h5::to_string(set_.shape()));
  }
  std::uint64_t size() const override { return set_.rows(); }
  std::string text(std::uint64_t index) override {
    constexpr std::uint64_t kAtOnce = 256;
    if (index < first_ || index >= first_ + texts_.size()) {
      first_ = index / kAtOnce * kAtOnce;
      texts_ = set_.read_strings(first_, std::min(kAtOnce, size() - first_));
    }
    return texts_[index - first_];
  }

 private:
  h5::File file_;
  h5::DataSet set_;
  std::uint64_t first_ = 0;
  std::vector<std::string> texts_;
};

// One of them is open at a time.
class CaptionsOfFiles : public CaptionList {
 public:
  CaptionsOfFiles(std::vector<fs::path> files, std::vector<std::uint64_t> begin)
      : CaptionList(files.front()), files_(std::move(files)), begin_(std::move(begin)) {}
  std::uint64_t size() const override { return begin_.back(); }
  std::string text(std::uint64_t index) override {
    const auto file =
        static_cast<std::size_t>(std::ranges::upper_bound(begin_, index) - begin_.begin()) - 1;
    if (!list_ || file != open_) {
      open_ = file;
      list_ = std::make_unique<CaptionsOfHdf5>(files_[file]);
      const std::uint64_t texts = begin_[file + 1] - begin_[file];
      require<DataError>(list_->size() == texts, "import", "{}: {} captions of {} texts",
                         files_[file].string(), list_->size(), texts);
    }
    return list_->read(index - begin_[file]);
  }

 private:
  std::vector<fs::path> files_;
  std::vector<std::uint64_t> begin_;
  std::size_t open_ = 0;
  std::unique_ptr<CaptionList> list_;
};

}  // namespace

std::string CaptionList::read(std::uint64_t index) {
  std::string caption = text(index);
  const bool is_short = caption.size() <= kLongestCaption;
  const bool has_zero = caption.find('\0') != caption.npos;
  if (is_short && !has_zero && is_utf8(caption)) return caption;
  fail<DataError>("import", "{}: caption {} {}", path_.string(), index,
                  !is_short
                      ? fmt::format("has {} bytes, {} at most", caption.size(), kLongestCaption)
                  : has_zero ? "holds a byte 0"
                             : "is not UTF-8");
}

std::unique_ptr<CaptionList> open_captions(std::vector<fs::path> files,
                                           std::vector<std::uint64_t> begin) {
  return std::make_unique<CaptionsOfFiles>(std::move(files), std::move(begin));
}

std::unique_ptr<CaptionList> open_captions(const fs::path& path) {
  std::error_code code;
  require<UsageError>(fs::is_regular_file(path, code), "import", "--captions {}: {}", path.string(),
                      fs::is_directory(path, code)
                          ? fmt::format("is a folder; {}", kReadOfCaptions)
                          : "there is no such file" + missing_path_hint(path));
  const std::string option = "--captions " + path.string();
  const FileKind kind = kind_of_file(path);
  if (kind == FileKind::kHdf5 || kind == FileKind::kShard) {
    return named_by("--captions", path.string(), kReadOfCaptions,
                    [&] { return std::make_unique<CaptionsOfHdf5>(path); });
  }
  if (lower_case_extension(path) == ".json") {
    return named_by("--captions", path.string(), kReadOfCaptions,
                    [&] { return std::make_unique<CaptionsOfJson>(path); });
  }
  const bool is_text =
      kind == FileKind::kUnknown || kind == FileKind::kEmpty || kind == FileKind::kJson;
  require<DataError>(is_text, "import", "{}: is {}, which holds no captions; {}", option,
                     described(kind), kReadOfCaptions);
  return std::make_unique<CaptionLines>(path);
}

}  // namespace edt::data
