// Arrays of numbers in files of any format: what an import reads.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/storage/hdf5.h"
#include "data/import/remarks.h"

namespace edt {
class ByteStream;
}

namespace edt::data {

using h5::Shape;

// Read by rows; in order is quickest.
class Array {
 public:
  virtual ~Array() = default;
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;

  const std::string& label() const { return label_; }  // "file.npz:latents", for messages
  const std::string& type() const { return type_; }    // "float32", for messages
  const Shape& shape() const { return shape_; }
  std::uint64_t rows() const { return shape_.empty() ? 1 : shape_[0]; }
  std::uint64_t elements() const;

  // Of an array of which each row has a name of its own, these; else nothing.
  virtual std::vector<std::string> row_names() const { return {}; }
  // Other files that hold its values.
  virtual std::vector<std::filesystem::path> other_files() const { return {}; }

  // DataError where a row is what HDF5, or NumPy's memmap, gives of one that was never written:
  // zero or the fill value everywhere. `number` is its name in the message, `what` the row's.
  void require_written(std::span<const float> row, std::uint64_t number, std::string_view where,
                       std::string_view what = "sample") const;

  // The rows from `first` on that fill `out`, in C order. As float only where the array is floating
  // point, as double any numbers.
  virtual void read(std::uint64_t first, std::span<float> out) = 0;
  virtual void read(std::uint64_t first, std::span<double> out) = 0;

 protected:
  Array(std::string label, std::string type, Shape shape)
      : label_(std::move(label)), type_(std::move(type)), shape_(std::move(shape)) {}
  std::uint64_t row_elements() const;
  // What the file has for values that were never written.
  virtual float fill_value() const { return 0; }

 private:
  std::string label_, type_;
  Shape shape_;
};

// A file that holds arrays. Those it gives out keep it open.
class ArrayFile {
 public:
  virtual ~ArrayFile() = default;

  const std::filesystem::path& path() const { return path_; }
  // False for .npy, which holds one array without a name.
  virtual bool has_names() const { return true; }
  // What there is, for messages: names, and shapes where these are at hand.
  virtual std::vector<std::string> list() const = 0;
  // nullptr where there is no such array.
  virtual std::unique_ptr<Array> find(const std::string& name) const = 0;
  // What it says beside its arrays: of itself and of the one of that name.
  virtual NamedValues said(const std::string&) const { return {}; }

 protected:
  // Arrays of one number under a name that stands for a topic (remarks.h).
  NamedValues single_numbers() const;

  explicit ArrayFile(std::filesystem::path path) : path_(std::move(path)) {}

 private:
  std::filesystem::path path_;
};

// By its content, whatever its name. DataError for a file of another format, naming it and the way
// to convert it where that is known.
std::unique_ptr<ArrayFile> open_array_file(const std::filesystem::path& path);
std::unique_ptr<ArrayFile> open_hdf5_arrays(const std::filesystem::path& path);
std::unique_ptr<ArrayFile> open_safetensors_arrays(const std::filesystem::path& path);

// One that lies in an archive, or in an HDF5 file among others.
std::unique_ptr<Array> npy_array(std::unique_ptr<edt::ByteStream> stream);
std::unique_ptr<Array> hdf5_array(std::shared_ptr<const h5::File> file, const std::string& name);

// An array to look for: under the name that was said, or else the first of the usual ones there is.
struct ArrayName {
  std::string option;  // "--latents-key"
  std::string said;    // may be empty
  std::vector<std::string> usual;
};

// What mirrored copies are called beside an array of that name.
std::vector<std::string> flipped_names(const std::string& name);

// `name_found` becomes the name it has. Where there is none: nullptr if none was said and
// `optional`, else DataError with the list of those there are.
std::unique_ptr<Array> find_array(const ArrayFile& file, const ArrayName& name, bool optional,
                                  std::string* name_found = nullptr);

}  // namespace edt::data
