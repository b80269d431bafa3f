// HDF5 files, data sets and attributes. The library's own header stays in hdf5_*.cpp.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/dtype.h"

namespace edt {
class InputFile;
}

namespace edt::h5 {

enum class Type : std::uint8_t {
  kFloat16,
  kBFloat16,  // stored as uint16 bits with the attribute "dtype" = "bf16"
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
  kOther,  // readable by other programs, not by this one
};

std::size_t size_of(Type type);
std::string_view name_of(Type type);
Type type_of(DType dtype);
bool is_integer(Type type);

using Shape = std::vector<std::uint64_t>;
std::string to_string(const Shape& shape);  // "[4, 32, 32]"

// Owns one HDF5 identifier.
class Handle {
 public:
  using Close = int (*)(std::int64_t);
  Handle() = default;
  Handle(std::int64_t id, Close close) : id_(id), close_(close) {}
  ~Handle() { reset(); }
  Handle(Handle&& other) noexcept;
  Handle& operator=(Handle&& other) noexcept;
  std::int64_t get() const { return id_; }
  // Closes the identifier; the status of HDF5's close call, negative when it failed.
  int reset();

 private:
  std::int64_t id_ = -1;
  Close close_ = nullptr;
};

using AttributeValue = std::variant<std::string, std::vector<std::int64_t>, std::vector<double>>;

// What can carry attributes. Reading an absent attribute or one of another kind is a DataError.
class Object {
 public:
  // "file.h5:/name", as messages name it.
  const std::string& label() const { return label_; }

  std::vector<std::string> attribute_names() const;  // sorted
  bool has_attribute(const std::string& name) const;
  void write_attribute(const std::string& name, std::string_view value);
  void write_attribute(const std::string& name, const char* value) {
    write_attribute(name, std::string_view(value));
  }
  void write_attribute(const std::string& name, std::int64_t value);
  void write_attribute(const std::string& name, int value) {
    write_attribute(name, static_cast<std::int64_t>(value));
  }
  void write_attribute(const std::string& name, double value);
  void write_attribute(const std::string& name, std::span<const double> values);
  void write_attribute(const std::string& name, std::span<const std::int64_t> values);

  void write_value(const std::string& name, const AttributeValue& value);

  // Texts and numbers; nothing for an attribute of another kind, or of more than 65536 values.
  std::optional<AttributeValue> read_value(const std::string& name) const;
  std::string read_string(const std::string& name) const;
  std::int64_t read_int(const std::string& name) const;
  double read_double(const std::string& name) const;
  std::vector<double> read_doubles(const std::string& name) const;
  std::vector<std::int64_t> read_ints(const std::string& name) const;

 protected:
  Object(Handle handle, std::string label) : handle_(std::move(handle)), label_(std::move(label)) {}
  std::int64_t id() const { return handle_.get(); }

  Handle handle_;
  std::string label_;
};

enum class Layout : std::uint8_t { kCompact, kContiguous, kChunked, kVirtual };

// How the values of a data set are kept; of a virtual one, how its sources are.
struct Storage {
  Layout layout = Layout::kContiguous;
  Shape chunk;            // its extent where there are chunks
  bool filtered = false;  // chunks are compressed or carry a checksum: decoded as a whole
};

class File;

// What holds data sets, for its attributes.
class Group : public Object {
 private:
  friend class File;
  Group(Handle handle, std::string label) : Object(std::move(handle), std::move(label)) {}
};

// An array; its first dimension counts rows. One that is opened for reading has all its values:
// what HDF5 would fill in (chunks never written, sources of a virtual data set that are missing or
// too short), values outside of HDF5 files and filters that are not there are refused by name.
class DataSet : public Object {
 public:
  // The values', which HDF5 converts to where they are stored as big-endian, say.
  Type type() const { return type_; }
  // "float16", "big-endian float32", "enumeration", ...
  const std::string& type_name() const { return type_name_; }
  const Storage& storage() const { return storage_; }
  // Rows that HDF5 decodes to give one of them, with what lies in its chunks beside the array; 1
  // where nothing is decoded.
  double decoded_rows() const;
  const Shape& shape() const { return shape_; }
  std::uint64_t rows() const { return shape_.empty() ? 1 : shape_[0]; }
  std::uint64_t row_elements() const;  // product of the other dimensions
  std::uint64_t elements() const { return rows() * row_elements(); }

  // Row ranges, converted by HDF5 between the stored type and `type`. `data` holds
  // count * row_elements() values.
  void read_rows(std::uint64_t first, std::uint64_t count, Type type, void* data) const;
  void write_rows(std::uint64_t first, std::uint64_t count, Type type, const void* data);
  void read(Type type, void* data) const { read_rows(0, rows(), type, data); }
  void write(Type type, const void* data) { write_rows(0, rows(), type, data); }

  // A flat range of elements of a one-dimensional data set is a row range, so pieces of flat
  // buffers use the same calls.
  template <class T>
  std::vector<T> read_all(Type type) const {
    std::vector<T> values(elements());
    read(type, values.data());
    return values;
  }

  // Of texts of fixed or variable length, as they are without their padding. DataError where the
  // elements are none, or one is longer than 1 MiB.
  std::vector<std::string> read_strings(std::uint64_t first, std::uint64_t count) const;

  // Byte offset in its file where all elements lie uncompressed, little endian and in order.
  std::optional<std::uint64_t> raw_offset() const;
  // The same where it is proven that they lie in `file`: HDF5 reads the same bytes there.
  std::optional<std::uint64_t> proven_offset(const InputFile& file) const;

  // SystemError when another file that holds values (behind a link, a source) was cut short since:
  // HDF5 reads zeros there.
  void require_kept() const;

  // Those files: what they hold is not in the file of the data set.
  std::vector<std::filesystem::path> other_files() const;

  // One value of `type`, as it stands where nothing was written.
  std::vector<std::byte> fill_value(Type type) const;

 private:
  friend class File;
  DataSet(Handle handle, std::string label);
  void transfer(std::uint64_t first, std::uint64_t count, std::int64_t memory_type, void* data,
                bool write) const;
  void read_truth_values(std::uint64_t first, std::uint64_t count, Type type, void* data) const;
  void require_complete();
  void require_plausible_size(std::int64_t properties) const;
  void require_sources(std::int64_t properties);
  void require_source(const File& file, const std::string& name, std::int64_t to,
                      std::int64_t from);
  void remember(const std::filesystem::path& file);
  bool lies_at(std::uint64_t offset, std::uint64_t row, const InputFile& file) const;

  Type type_ = Type::kOther;
  bool exact_ = false;  // stored as `type_`, bit by bit
  bool truth_ = false;  // an enumeration, which HDF5 does not convert to numbers
  std::string type_name_;
  Shape shape_;
  Storage storage_;
  std::map<std::filesystem::path, std::uint64_t> other_files_;  // and their sizes
};

// A file; its attributes are those of the root group.
class File : public Object {
 public:
  // Read-only, without file locks: parallel file systems often refuse them. A file that a writer
  // has locked, or has marked as being written, is a DataError.
  static File open(const std::filesystem::path& path);
  // Replaces an existing file. The first `user_block` bytes (0, 512, 1024, ...) are left to the
  // caller. `longest_attribute`, bytes: beyond 60,000 the file takes the format of HDF5 1.8, as the
  // first one has no room for it.
  static File create(const std::filesystem::path& path, std::uint64_t user_block = 0,
                     std::uint64_t longest_attribute = 0);
  // To be changed, through the driver of HDF5's file access properties `access`.
  static File open_with(const std::filesystem::path& path, std::int64_t access);
  File(File&&) = default;
  File& operator=(File&&) = default;
  // The root group before the file, which otherwise would close it.
  ~File() { handle_.reset(); }

  const std::filesystem::path& path() const { return path_; }
  bool has(const std::string& name) const;
  bool is_group(const std::string& name) const;  // of an object that is there
  std::vector<std::string> names(const std::string& group = "/") const;  // sorted
  Group group(const std::string& name) const;
  // `chunk_cache`: bytes of decoded chunks that HDF5 keeps for it; by default 1 MiB.
  DataSet dataset(const std::string& name, std::optional<std::uint64_t> chunk_cache = {}) const;
  // Contiguous, or chunked by `chunk_rows` rows when that is not 0. Groups in the name are created.
  DataSet create_dataset(const std::string& name, Type type, const Shape& shape,
                         std::uint64_t chunk_rows = 0);

  // Texts of one length, the longest of them, padded with zero bytes: they lie in one piece of the
  // file, which is `stored_at`. A zero byte within a text would end it: none may have one.
  struct Bytes {
    std::uint64_t offset = 0, size = 0;
  };
  DataSet create_strings(const std::string& name, std::span<const std::string> values,
                         Bytes* stored_at);

  // Writes everything out and closes; unlike the destructor it reports what goes wrong. Data sets
  // of the file must have been destroyed before.
  void close();

 private:
  File(Handle file, Handle root, const std::filesystem::path& path, bool writable);

  Handle file_;
  std::filesystem::path path_;
  bool writable_ = false;
};

}  // namespace edt::h5
