// NumPy arrays: .npy files and the members of .npz archives, read as streams of rows, and .npz
// written. Format: numpy.lib.format, versions 1 to 3; either order of bytes and of elements.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct zip;  // of libzip

namespace edt {

enum class NpyType : std::uint8_t {
  kFloat16,
  kFloat32,
  kFloat64,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kUInt8,
  kUInt16,
  kUInt32,
  kUInt64,
  kBool,
};

std::string_view name_of(NpyType type);  // "float32"
std::size_t size_of(NpyType type);

struct NpyHeader {
  NpyType type = NpyType::kFloat32;
  bool big_endian = false;
  bool fortran_order = false;  // the first index runs fastest; readers give C order all the same
  std::vector<std::uint64_t> shape;
  std::uint64_t header_bytes = 0;  // offset of the elements

  std::uint64_t element_bytes() const { return size_of(type); }
  std::uint64_t rows() const { return shape.empty() ? 1 : shape[0]; }
  std::uint64_t row_elements() const;
  std::uint64_t data_bytes() const { return rows() * row_elements() * element_bytes(); }
  bool is_floating() const;
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
  virtual void rewind() = 0;  // to the beginning
  virtual std::uint64_t size() const = 0;
  virtual std::string label() const = 0;
};

std::unique_ptr<ByteStream> open_file_stream(const std::filesystem::path& path);

// The members of an .npz or of another zip archive.
class ZipReader {
 public:
  explicit ZipReader(const std::filesystem::path& path);
  const std::vector<std::string>& names() const { return names_; }  // in the order of the archive
  // Names with or without ".npy".
  bool has(const std::string& name) const { return locate(name).has_value(); }
  // Headers, size and CRC-32 of the whole member are checked before anything is read: DataError.
  std::unique_ptr<ByteStream> open(const std::string& name) const;

 private:
  std::optional<std::uint64_t> locate(const std::string& name) const;

  std::filesystem::path path_;
  std::shared_ptr<zip> archive_;
  std::vector<std::string> names_;
};

std::unique_ptr<ByteStream> open_zip_stream(const std::filesystem::path& archive,
                                            std::string_view member);

// Rows of an array, in order or not, in C order and converted.
class NpyReader {
 public:
  explicit NpyReader(std::unique_ptr<ByteStream> stream);
  ~NpyReader();
  NpyReader(NpyReader&&) noexcept;
  static NpyReader open(const std::filesystem::path& npy);
  static NpyReader open_member(const std::filesystem::path& npz, std::string_view member);

  const NpyHeader& header() const { return header_; }
  std::string label() const { return stream_->label(); }
  std::uint64_t position() const { return position_; }  // next row

  // Going back starts a compressed member of an archive again.
  void seek(std::uint64_t row);
  void skip(std::uint64_t rows) { seek(position_ + rows); }
  // out.size() is a whole number of rows. Floating-point arrays only.
  void read(std::span<float> out);
  // Any numbers; integers beyond 2^53 are rounded.
  void read(std::span<double> out);

 private:
  class Transposer;
  // The bytes of the next rows, in C order, as this machine has them.
  std::span<const std::byte> take(std::uint64_t rows);
  template <class T>
  void read_as(std::span<T> out);

  std::unique_ptr<ByteStream> stream_;
  NpyHeader header_;
  std::unique_ptr<Transposer> transposer_;  // of arrays in Fortran order
  std::uint64_t position_ = 0;
  std::uint64_t stream_row_ = 0;  // where the stream stands, of arrays in C order
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
