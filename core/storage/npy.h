// NumPy arrays: .npy files and the members of .npz archives, read as streams of rows, and .npz
// written. Format: numpy.lib.format, versions 1 to 3; C order, little endian.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace edt {

enum class NpyType : std::uint8_t { kFloat16, kFloat32, kFloat64, kInt32, kInt64 };

struct NpyHeader {
  NpyType type = NpyType::kFloat32;
  std::vector<std::uint64_t> shape;
  std::uint64_t header_bytes = 0;  // offset of the elements

  std::uint64_t element_bytes() const;
  std::uint64_t rows() const { return shape.empty() ? 1 : shape[0]; }
  std::uint64_t row_elements() const;
  std::uint64_t data_bytes() const { return rows() * row_elements() * element_bytes(); }
  bool is_integer() const { return type == NpyType::kInt32 || type == NpyType::kInt64; }
};

// Parses the bytes at the start of a file of `total_bytes` bytes; `label` names it in messages.
NpyHeader parse_npy_header(std::span<const std::byte> start, std::uint64_t total_bytes,
                           std::string_view label);

// Bytes in order, from a file or from a member of an archive.
class ByteStream {
 public:
  virtual ~ByteStream() = default;
  virtual void read(std::span<std::byte> out) = 0;  // all of it, or DataError
  virtual void skip(std::uint64_t bytes) = 0;
  virtual std::uint64_t size() const = 0;
  virtual std::string label() const = 0;
};

std::unique_ptr<ByteStream> open_file_stream(const std::filesystem::path& path);
// `member` with or without its ".npy". Headers, size and CRC-32 of the whole member are checked
// before anything is read: DataError.
std::unique_ptr<ByteStream> open_zip_stream(const std::filesystem::path& archive,
                                            std::string_view member);

// Rows of an array in order.
class NpyReader {
 public:
  explicit NpyReader(std::unique_ptr<ByteStream> stream);
  static NpyReader open(const std::filesystem::path& npy);
  static NpyReader open_member(const std::filesystem::path& npz, std::string_view member);

  const NpyHeader& header() const { return header_; }
  std::string label() const { return stream_->label(); }
  std::uint64_t position() const { return position_; }  // next row

  void skip(std::uint64_t rows);
  // out.size() is a whole number of rows. Floating-point arrays only.
  void read(std::span<float> out);
  // Integer arrays only; values beyond int32 are refused.
  void read(std::span<std::int32_t> out);

 private:
  template <class T>
  void read_as(std::span<T> out);

  std::unique_ptr<ByteStream> stream_;
  NpyHeader header_;
  std::uint64_t position_ = 0;
  std::vector<std::byte> buffer_;
};

// Writes an archive with one uint8 array, row by row: memory does not grow with the array.
class NpzWriter {
 public:
  // `member` without ".npy"; shape[0] counts the rows that will be appended.
  NpzWriter(std::filesystem::path path, std::string member, std::vector<std::uint64_t> shape);
  ~NpzWriter();
  void append(std::span<const std::uint8_t> rows);
  // Throws when rows are missing. Without finish() nothing is left behind.
  void finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace edt
