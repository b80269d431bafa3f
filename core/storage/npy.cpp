#include "core/storage/npy.h"

#include <algorithm>
#include <cstring>

#include "core/base/assert.h"
#include "core/base/error.h"
#include "core/storage/convert.h"
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
  void rewind() override { position_ = 0; }
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

template <class Out>
void convert(NpyType type, std::span<const std::byte> raw, std::span<Out> out) {
  switch (type) {
    case NpyType::kFloat16:
      return convert_halves(raw, out);
    case NpyType::kFloat32:
      return convert_elements<float>(raw, out);
    case NpyType::kFloat64:
      return convert_elements<double>(raw, out);
    case NpyType::kInt8:
      return convert_elements<std::int8_t>(raw, out);
    case NpyType::kInt16:
      return convert_elements<std::int16_t>(raw, out);
    case NpyType::kInt32:
      return convert_elements<std::int32_t>(raw, out);
    case NpyType::kInt64:
      return convert_elements<std::int64_t>(raw, out);
    case NpyType::kUInt8:
    case NpyType::kBool:
      return convert_elements<std::uint8_t>(raw, out);
    case NpyType::kUInt16:
      return convert_elements<std::uint16_t>(raw, out);
    case NpyType::kUInt32:
      return convert_elements<std::uint32_t>(raw, out);
    case NpyType::kUInt64:
      return convert_elements<std::uint64_t>(raw, out);
  }
}

void swap_bytes(std::span<std::byte> data, std::size_t element_bytes) {
  for (std::size_t i = 0; i < data.size(); i += element_bytes) {
    std::reverse(data.begin() + static_cast<std::ptrdiff_t>(i),
                 data.begin() + static_cast<std::ptrdiff_t>(i + element_bytes));
  }
}

}  // namespace

std::unique_ptr<ByteStream> open_file_stream(const std::filesystem::path& path) {
  return std::make_unique<FileStream>(path);
}

// Arrays in Fortran order have the elements of a row far apart, those of neighbouring rows side by
// side: rows are gathered by blocks, each in one pass over the stream.
class NpyReader::Transposer {
 public:
  Transposer(ByteStream& stream, const NpyHeader& header) : stream_(stream), header_(header) {
    constexpr std::uint64_t kBlockBytes = 64 << 20;
    const std::uint64_t row = std::max<std::uint64_t>(row_bytes(), 1);
    rows_ =
        std::clamp<std::uint64_t>(kBlockBytes / row, 1, std::max<std::uint64_t>(header.rows(), 1));
  }

  // Bytes of one row in C order.
  std::span<const std::byte> row(std::uint64_t index) {
    if (block_.empty() || index < first_ || index >= first_ + rows_) load(index / rows_ * rows_);
    return std::span(block_).subspan((index - first_) * row_bytes(), row_bytes());
  }

 private:
  std::uint64_t row_bytes() const { return header_.row_elements() * header_.element_bytes(); }

  // Place in C order of the element of a row that comes after `in_c_order`'s in Fortran order.
  void advance(std::vector<std::uint64_t>& index, std::uint64_t& in_c_order) const {
    std::uint64_t stride = header_.row_elements();
    for (std::size_t d = 1; d < header_.shape.size(); ++d) {
      stride /= header_.shape[d];
      in_c_order += stride;
      if (++index[d] < header_.shape[d]) return;
      in_c_order -= stride * header_.shape[d];
      index[d] = 0;
    }
  }

  void load(std::uint64_t first) {
    const std::uint64_t size = header_.element_bytes();
    const std::uint64_t count = std::min(rows_, header_.rows() - first);
    block_.resize(count * row_bytes());
    std::vector<std::byte> run(count * size);
    stream_.rewind();
    stream_.skip(header_.header_bytes + first * size);
    std::vector<std::uint64_t> index(header_.shape.size());
    std::uint64_t place = 0;
    for (std::uint64_t e = 0; e < header_.row_elements(); ++e, advance(index, place)) {
      if (e > 0) stream_.skip((header_.rows() - count) * size);
      stream_.read(run);
      for (std::uint64_t r = 0; r < count; ++r) {
        std::memcpy(block_.data() + r * row_bytes() + place * size, run.data() + r * size, size);
      }
    }
    first_ = first;
  }

  ByteStream& stream_;
  NpyHeader header_;
  std::uint64_t rows_, first_ = 0;
  std::vector<std::byte> block_;
};

NpyReader::NpyReader(std::unique_ptr<ByteStream> stream)
    : stream_(std::move(stream)), header_(read_header(*stream_)) {}

NpyReader::~NpyReader() = default;
NpyReader::NpyReader(NpyReader&&) noexcept = default;

NpyReader NpyReader::open(const std::filesystem::path& npy) {
  return NpyReader(open_file_stream(npy));
}

NpyReader NpyReader::open_member(const std::filesystem::path& npz, std::string_view member) {
  return NpyReader(open_zip_stream(npz, member));
}

void NpyReader::seek(std::uint64_t row) {
  require<DataError>(row <= header_.rows(), "npy", "{}: row {} asked for, it has {}", label(), row,
                     header_.rows());
  position_ = row;
}

std::span<const std::byte> NpyReader::take(std::uint64_t rows) {
  const std::uint64_t row_bytes = header_.row_elements() * header_.element_bytes();
  buffer_.resize(rows * row_bytes);
  // The order of one index, or of none, is the same in both.
  if (header_.fortran_order && header_.shape.size() > 1) {
    if (!transposer_) transposer_ = std::make_unique<Transposer>(*stream_, header_);
    for (std::uint64_t i = 0; i < rows; ++i) {
      const auto row = transposer_->row(position_ + i);
      std::copy(row.begin(), row.end(),
                buffer_.begin() + static_cast<std::ptrdiff_t>(i * row_bytes));
    }
  } else {
    if (position_ < stream_row_) {
      stream_->rewind();
      stream_->skip(header_.header_bytes + position_ * row_bytes);
    } else {
      stream_->skip((position_ - stream_row_) * row_bytes);
    }
    stream_->read(buffer_);
    stream_row_ = position_ + rows;
  }
  position_ += rows;
  if (header_.big_endian) swap_bytes(buffer_, header_.element_bytes());
  return buffer_;
}

template <class T>
void NpyReader::read_as(std::span<T> out) {
  const std::uint64_t row = header_.row_elements();
  require<DataError>(row > 0, "npy", "{}: its rows are empty", label());
  EDT_ASSERT(out.size() % row == 0);
  const std::uint64_t rows = out.size() / row;
  require<DataError>(rows <= header_.rows() - position_, "npy", "{}: row {} asked for, it has {}",
                     label(), position_ + rows, header_.rows());
  convert(header_.type, take(rows), out);
}

void NpyReader::read(std::span<float> out) {
  require<DataError>(header_.is_floating(), "npy", "{}: holds {}, floating point is needed",
                     label(), name_of(header_.type));
  read_as(out);
}

void NpyReader::read(std::span<double> out) { read_as(out); }

}  // namespace edt
