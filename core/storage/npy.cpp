#include "core/storage/npy.h"

#include <cstring>
#include <limits>

#include "core/base/assert.h"
#include "core/base/error.h"
#include "core/storage/half.h"
#include "core/storage/input_file.h"

namespace edt {

namespace {

class FileStream : public ByteStream {
 public:
  explicit FileStream(const std::filesystem::path& path) : file_(path) {}
  void read(std::span<std::byte> out) override {
    file_.read(position_, out);
    position_ += out.size();
  }
  void skip(std::uint64_t bytes) override { position_ += bytes; }
  std::uint64_t size() const override { return file_.size(); }
  std::string label() const override { return file_.path().string(); }

 private:
  InputFile file_;
  std::uint64_t position_ = 0;
};

// Headers are short; a longer one is refused before it is read.
constexpr std::uint64_t kLongestNpyHeader = 1 << 16;

NpyHeader read_header(ByteStream& stream) {
  // Length first, then the description, so that the stream ends up at the first element.
  std::vector<std::byte> start(10);
  require<DataError>(stream.size() >= start.size(), "npy", "{}: not a NumPy array file",
                     stream.label());
  stream.read(start);
  std::uint32_t length = 0;
  const bool wide = start[6] != std::byte{1};
  if (wide) {
    start.resize(12);
    require<DataError>(stream.size() >= start.size(), "npy", "{}: the header is cut off",
                       stream.label());
    stream.read(std::span(start).subspan(10));
  }
  std::memcpy(&length, start.data() + 8, wide ? 4 : 2);
  const std::uint64_t available = std::min(stream.size() - start.size(), kLongestNpyHeader);
  const std::size_t prefix = start.size();
  start.resize(prefix + std::min<std::uint64_t>(length, available));
  stream.read(std::span(start).subspan(prefix));
  return parse_npy_header(start, stream.size(), stream.label());
}

template <class T>
T element(const std::byte* data, std::size_t i) {
  T value;
  std::memcpy(&value, data + i * sizeof(T), sizeof(T));
  return value;
}

}  // namespace

std::unique_ptr<ByteStream> open_file_stream(const std::filesystem::path& path) {
  return std::make_unique<FileStream>(path);
}

NpyReader::NpyReader(std::unique_ptr<ByteStream> stream)
    : stream_(std::move(stream)), header_(read_header(*stream_)) {}

NpyReader NpyReader::open(const std::filesystem::path& npy) {
  return NpyReader(open_file_stream(npy));
}

NpyReader NpyReader::open_member(const std::filesystem::path& npz, std::string_view member) {
  return NpyReader(open_zip_stream(npz, member));
}

void NpyReader::skip(std::uint64_t rows) {
  require<DataError>(rows <= header_.rows() - position_, "npy", "{}: row {} asked for, it has {}",
                     label(), position_ + rows, header_.rows());
  stream_->skip(rows * header_.row_elements() * header_.element_bytes());
  position_ += rows;
}

template <class T>
void NpyReader::read_as(std::span<T> out) {
  const std::uint64_t row = header_.row_elements();
  require<DataError>(row > 0, "npy", "{}: its rows are empty", label());
  EDT_ASSERT(out.size() % row == 0);
  const std::uint64_t rows = out.size() / row;
  require<DataError>(rows <= header_.rows() - position_, "npy", "{}: row {} asked for, it has {}",
                     label(), position_ + rows, header_.rows());
  buffer_.resize(out.size() * header_.element_bytes());
  stream_->read(buffer_);
  position_ += rows;
}

void NpyReader::read(std::span<float> out) {
  require<DataError>(!header_.is_integer(), "npy", "{}: holds integers, floating point is needed",
                     label());
  read_as(out);
  const std::byte* data = buffer_.data();
  switch (header_.type) {
    case NpyType::kFloat16:
      half_to_float({reinterpret_cast<const half_bits*>(data), out.size()}, out);
      break;
    case NpyType::kFloat32:
      std::memcpy(out.data(), data, out.size_bytes());
      break;
    default:
      for (std::size_t i = 0; i < out.size(); ++i)
        out[i] = static_cast<float>(element<double>(data, i));
  }
}

void NpyReader::read(std::span<std::int32_t> out) {
  require<DataError>(header_.is_integer(), "npy", "{}: holds floating point, integers are needed",
                     label());
  read_as(out);
  const std::byte* data = buffer_.data();
  if (header_.type == NpyType::kInt32) {
    std::memcpy(out.data(), data, out.size_bytes());
    return;
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto value = element<std::int64_t>(data, i);
    require<DataError>(value >= std::numeric_limits<std::int32_t>::min() &&
                           value <= std::numeric_limits<std::int32_t>::max(),
                       "npy", "{}: value {} does not fit into 32 bits", label(), value);
    out[i] = static_cast<std::int32_t>(value);
  }
}

}  // namespace edt
