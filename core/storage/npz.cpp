#include <fmt/ranges.h>
#include <zip.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <string_view>
#include <type_traits>

#include "core/base/assert.h"
#include "core/base/error.h"
#include "core/storage/access.h"
#include "core/storage/durable_file.h"
#include "core/storage/file_kind.h"
#include "core/storage/input_file.h"
#include "core/storage/npy.h"
#include "core/storage/npz_arrays.h"

namespace edt {

namespace {

struct DiscardArchive {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
struct CloseMember {
  void operator()(zip_file_t* member) const { zip_fclose(member); }
};
using Archive = std::unique_ptr<zip_t, DiscardArchive>;
using Member = std::unique_ptr<zip_file_t, CloseMember>;

std::string error_text(int code) {
  zip_error_t error;
  zip_error_init_with_code(&error, code);
  std::string text = zip_error_strerror(&error);
  zip_error_fini(&error);
  return text;
}

Archive open_archive(const std::filesystem::path& path, int flags) {
  int code = 0;
  Archive archive(zip_open(path.c_str(), flags, &code));
  // Readers differ in which of the two they take.
  require<DataError>(code != ZIP_ER_EXISTS, "npz", "{}: two of its members have one name",
                     path.string());
  if (code == ZIP_ER_NOZIP) {
    refuse_other_kind(path, {{FileKind::kZip, FileKind::kTorchZip}}, "npz");
  }
  require<DataError>(archive != nullptr, "npz", "{}: {}", path.string(), error_text(code));
  return archive;
}

std::string first_names(const std::vector<std::string>& names) {
  constexpr std::size_t kMost = 10;
  const auto first = std::span(names).first(std::min(names.size(), kMost));
  return fmt::format("{}{}", fmt::join(first, ", "), names.size() > kMost ? ", ..." : "");
}

// Decompresses one member from its beginning. A zip file has one CRC-32 for a whole member, known
// to be right only at its end: so all of it is read once before the first byte is given out.
class ZipStream : public ByteStream {
 public:
  ZipStream(std::shared_ptr<zip_t> archive, zip_uint64_t position, std::string label)
      : label_(std::move(label)), archive_(std::move(archive)), position_(position) {
    zip_stat_t info;
    zip_stat_init(&info);
    require<DataError>(
        zip_stat_index(archive_.get(), position_, 0, &info) == 0 && (info.valid & ZIP_STAT_SIZE),
        "npz", "{}: its size is unknown", label_);
    size_ = info.size;
    rewind();
    verify();
    rewind();
  }

  void read(std::span<std::byte> out) override {
    while (!out.empty()) {
      const std::size_t done = read_some(out);
      require<DataError>(done > 0, "npz", "{}: the member ends {} bytes too early", label_,
                         out.size());
      out = out.subspan(done);
    }
  }

  void skip(std::uint64_t bytes) override {
    std::vector<std::byte> discarded(std::min<std::uint64_t>(bytes, 1 << 20));
    while (bytes > 0) {
      const std::uint64_t piece = std::min<std::uint64_t>(bytes, discarded.size());
      read(std::span(discarded).first(piece));
      bytes -= piece;
    }
  }

  void rewind() override {
    member_.reset(zip_fopen_index(archive_.get(), position_, 0));
    require<DataError>(member_ != nullptr, "npz", "{}: {}", label_, zip_strerror(archive_.get()));
  }

  std::uint64_t size() const override { return size_; }
  std::string label() const override { return label_; }

 private:
  // 0 at the end of the member, where libzip compares size and CRC-32.
  std::size_t read_some(std::span<std::byte> out) {
    const zip_int64_t done = zip_fread(member_.get(), out.data(), out.size());
    require<DataError>(done >= 0, "npz", "{}: {}", label_, zip_file_strerror(member_.get()));
    return static_cast<std::size_t>(done);
  }

  void verify() {
    std::vector<std::byte> piece(std::clamp<std::uint64_t>(size_, 1, 1 << 20));
    std::uint64_t read = 0;
    while (const std::size_t done = read_some(piece)) read += done;
    require<DataError>(read == size_, "npz", "{}: {} bytes, its header says {}", label_, read,
                       size_);
  }

  std::string label_;
  std::shared_ptr<zip_t> archive_;
  Member member_;
  zip_uint64_t position_ = 0;
  std::uint64_t size_ = 0;
};

// `type` as NumPy writes it: "|u1", "<f4".
std::string npy_header_text(std::string_view type, const std::vector<std::uint64_t>& shape) {
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({},), }}",
                                   type, fmt::join(shape, ", "));
  constexpr std::size_t kPrefix = 10, kAlignment = 64;
  const std::size_t padded =
      (kPrefix + header.size() + 1 + kAlignment - 1) / kAlignment * kAlignment;
  header.append(padded - kPrefix - header.size() - 1, ' ');
  header += '\n';
  std::string text("\x93NUMPY\x01\x00", 8);
  text += static_cast<char>(header.size() & 0xff);
  text += static_cast<char>(header.size() >> 8);
  return text + header;
}

// Takes the source over; its bytes or its file are read when the archive is closed.
void add_member(zip_t* archive, const std::string& name, zip_source_t* source,
                const std::filesystem::path& path) {
  const zip_int64_t index =
      source ? zip_file_add(archive, name.c_str(), source, ZIP_FL_ENC_UTF_8) : -1;
  if (index < 0) zip_source_free(source);
  require<SystemError>(
      index >= 0 &&
          zip_set_file_compression(archive, static_cast<zip_uint64_t>(index), ZIP_CM_STORE, 0) == 0,
      "npz", "{}: {}", path.string(), zip_strerror(archive));
}

void close_archive(Archive archive, const std::filesystem::path& path) {
  const SignalDelay delay;  // libzip has a temporary file beside, and removes it when cancelled
  zip_register_cancel_callback_with_state(
      archive.get(), [](zip_t*, void*) { return int{SignalDelay::signal_waits()}; }, nullptr,
      nullptr);
  if (zip_close(archive.get()) != 0) {
    fail_for<SystemError>(zip_error_code_system(zip_get_error(archive.get())), "npz",
                          "cannot write {}: {}", path.string(), zip_strerror(archive.get()));
  }
  (void)archive.release();  // zip_close freed it
}

// The bytes of a member, header and elements.
std::string npy_bytes(const NpzArray& array) {
  std::uint64_t expected = 1;
  for (const std::uint64_t n : array.shape) expected *= n;
  return std::visit(
      [&]<class T>(std::span<const T> values) {
        EDT_ASSERT(values.size() == expected);
        static_assert(std::endian::native == std::endian::little);
        std::string bytes = npy_header_text(std::is_same_v<T, float> ? "<f4" : "<i4", array.shape);
        return bytes.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
      },
      array.values);
}

}  // namespace

ZipReader::ZipReader(const std::filesystem::path& path) : path_(path) {
  const InputFile refuses_clearly_where_there_is_none(path);
  archive_ = open_archive(path, ZIP_RDONLY | ZIP_CHECKCONS);
  const zip_int64_t count = zip_get_num_entries(archive_.get(), 0);
  for (zip_int64_t i = 0; i < count; ++i) {
    const char* name = zip_get_name(archive_.get(), static_cast<zip_uint64_t>(i), ZIP_FL_ENC_RAW);
    names_.emplace_back(name ? name : "?");
  }
}

std::optional<std::uint64_t> ZipReader::locate(const std::string& name) const {
  for (const std::string& candidate : {name, name + ".npy"}) {
    const zip_int64_t index = zip_name_locate(archive_.get(), candidate.c_str(), ZIP_FL_ENC_RAW);
    if (index >= 0) return static_cast<std::uint64_t>(index);
  }
  return std::nullopt;
}

std::unique_ptr<ByteStream> ZipReader::open(const std::string& name) const {
  const std::string label = fmt::format("{}:{}", path_.string(), name);
  const auto position = locate(name);
  require<DataError>(position.has_value(), "npz", "{}: there is no such member; there are: {}",
                     label, first_names(names_));
  return std::make_unique<ZipStream>(archive_, *position, label);
}

std::unique_ptr<ByteStream> open_zip_stream(const std::filesystem::path& archive,
                                            std::string_view member) {
  return ZipReader(archive).open(std::string(member));
}

// libzip pulls its input when the archive is closed, so rows are first collected in a file beside.
struct NpzWriter::Impl {
  std::filesystem::path path;
  std::string member;
  std::uint64_t expected = 0;
  std::uint64_t header = 0;
  std::unique_ptr<DurableFile> rows;
};

NpzWriter::NpzWriter(std::filesystem::path path, std::string member,
                     std::vector<std::uint64_t> shape)
    : impl_(std::make_unique<Impl>()) {
  impl_->path = final_path(path);  // rows are collected where the archive will be
  impl_->member = std::move(member) + ".npy";
  impl_->expected = 1;
  for (std::uint64_t n : shape) impl_->expected *= n;
  impl_->rows = std::make_unique<DurableFile>(impl_->path.string() + ".rows");
  const std::string header = npy_header_text("|u1", shape);
  impl_->header = header.size();
  impl_->rows->write(header);
}

NpzWriter::~NpzWriter() = default;

void NpzWriter::append(std::span<const std::uint8_t> rows) {
  impl_->rows->write(std::as_bytes(rows));
}

void NpzWriter::finish() {
  const std::uint64_t written = impl_->rows->written() - impl_->header;
  require<DataError>(written == impl_->expected, "npz", "{}: {} bytes written, the shape has {}",
                     impl_->path.string(), written, impl_->expected);
  PartialFile partial(impl_->path);
  const std::filesystem::path rows = partial_path(impl_->rows->path());
  Archive archive = open_archive(partial.partial(), ZIP_CREATE | ZIP_TRUNCATE);
  add_member(archive.get(), impl_->member, zip_source_file(archive.get(), rows.c_str(), 0, -1),
             impl_->path);
  close_archive(std::move(archive), impl_->path);
  partial.commit();
  impl_->rows.reset();
}

void write_npz(const std::filesystem::path& path, std::span<const NpzArray> arrays) {
  PartialFile partial(path);
  std::vector<std::string> members;
  members.reserve(arrays.size());  // libzip reads them at the end
  Archive archive = open_archive(partial.partial(), ZIP_CREATE | ZIP_TRUNCATE);
  for (const NpzArray& array : arrays) {
    const std::string& bytes = members.emplace_back(npy_bytes(array));
    add_member(archive.get(), array.name + ".npy",
               zip_source_buffer(archive.get(), bytes.data(), bytes.size(), 0), path);
  }
  close_archive(std::move(archive), path);
  partial.commit();
}

}  // namespace edt
