#include "core/storage/hdf5.h"

#include <fmt/ranges.h>
#include <hdf5.h>

#include <algorithm>
#include <utility>

#include "core/base/assert.h"
#include "core/base/error.h"

namespace edt::h5 {

static_assert(sizeof(hid_t) == sizeof(std::int64_t));

namespace {

// HDF5 closes what is open when the program ends, and crashes there on a file whose last write
// failed (a full disk). Files are closed by their owners here, so it need not. Must precede other
// calls.
[[maybe_unused]] const herr_t no_exit_handler = H5dont_atexit();

// HDF5 prints its error stack by default, and keeps that switch per thread.
void silence() {
  thread_local const bool done = [] {
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
    return true;
  }();
  (void)done;
}

herr_t remember_deepest(unsigned, const H5E_error2_t* entry, void* text) {
  if (entry->desc) *static_cast<std::string*>(text) = entry->desc;
  return 0;
}

// The innermost line of HDF5's error stack: it names the cause, with errno where there is one.
std::string last_error() {
  std::string text;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, remember_deepest, &text);
  H5Eclear2(H5E_DEFAULT);
  std::replace(text.begin(), text.end(), '\n', ' ');
  constexpr std::size_t kLongest = 300;
  if (text.size() > kLongest) text.resize(kLongest);
  return text.empty() ? "HDF5 gives no reason" : text;
}

[[noreturn]] void fail_hdf5(const std::string& label, std::string_view action) {
  const std::string reason = last_error();
  // The operating system's refusals carry "errno = ..."; everything else is about the content.
  if (reason.find("errno") != std::string::npos) {
    fail<SystemError>("hdf5", "{}: cannot {}: {}", label, action, reason);
  }
  fail<DataError>("hdf5", "{}: cannot {}: {}", label, action, reason);
}

void check(herr_t status, const std::string& label, std::string_view action) {
  if (status < 0) fail_hdf5(label, action);
}

Handle own(hid_t id, Handle::Close close, const std::string& label, std::string_view action) {
  if (id < 0) fail_hdf5(label, action);
  return Handle(id, close);
}

int close_type(std::int64_t id) { return H5Tclose(id); }
int close_space(std::int64_t id) { return H5Sclose(id); }
int close_properties(std::int64_t id) { return H5Pclose(id); }
int close_attribute(std::int64_t id) { return H5Aclose(id); }
int close_dataset(std::int64_t id) { return H5Dclose(id); }
int close_group(std::int64_t id) { return H5Gclose(id); }
int close_file(std::int64_t id) { return H5Fclose(id); }

// IEEE binary16, which HDF5 1.10 has no ready-made type for.
Handle float16_type() {
  Handle type(H5Tcopy(H5T_IEEE_F32LE), close_type);
  H5Tset_fields(type.get(), 15, 10, 5, 0, 10);
  H5Tset_size(type.get(), 2);
  H5Tset_ebias(type.get(), 15);
  return type;
}

// The little-endian type in a file, which is also the type in memory of every supported machine.
Handle stored_type(Type type) {
  switch (type) {
    case Type::kFloat16:
      return float16_type();
    case Type::kFloat32:
      return Handle(H5Tcopy(H5T_IEEE_F32LE), close_type);
    case Type::kFloat64:
      return Handle(H5Tcopy(H5T_IEEE_F64LE), close_type);
    case Type::kInt32:
      return Handle(H5Tcopy(H5T_STD_I32LE), close_type);
    case Type::kInt64:
      return Handle(H5Tcopy(H5T_STD_I64LE), close_type);
    case Type::kUInt8:
      return Handle(H5Tcopy(H5T_STD_U8LE), close_type);
    case Type::kBFloat16:
    case Type::kUInt16:
      return Handle(H5Tcopy(H5T_STD_U16LE), close_type);
    case Type::kUInt64:
      return Handle(H5Tcopy(H5T_STD_U64LE), close_type);
    case Type::kOther:
      break;
  }
  EDT_ASSERT(!"a type that can be stored");
}

Type identify(hid_t type) {
  for (Type candidate : {Type::kFloat16, Type::kFloat32, Type::kFloat64, Type::kInt32, Type::kInt64,
                         Type::kUInt8, Type::kUInt16, Type::kUInt64}) {
    if (H5Tequal(type, stored_type(candidate).get()) > 0) return candidate;
  }
  return Type::kOther;
}

// Dimensions of a data space; a product beyond 2^62 elements is refused, so sizes cannot overflow.
Shape dimensions(hid_t space, const std::string& label) {
  const int rank = H5Sget_simple_extent_ndims(space);
  if (rank < 0) fail_hdf5(label, "read its shape");
  std::vector<hsize_t> extent(static_cast<std::size_t>(rank));
  if (rank > 0) {
    check(H5Sget_simple_extent_dims(space, extent.data(), nullptr), label, "read its shape");
  }
  std::uint64_t product = 1;
  for (hsize_t n : extent) {
    require<DataError>(n == 0 || product <= (std::uint64_t{1} << 59) / n, "hdf5",
                       "{}: shape [{}] is too large", label, fmt::join(extent, ", "));
    product *= std::max<hsize_t>(n, 1);
  }
  return {extent.begin(), extent.end()};
}

}  // namespace

std::size_t size_of(Type type) {
  switch (type) {
    case Type::kUInt8:
      return 1;
    case Type::kFloat16:
    case Type::kBFloat16:
    case Type::kUInt16:
      return 2;
    case Type::kFloat32:
    case Type::kInt32:
      return 4;
    case Type::kFloat64:
    case Type::kInt64:
    case Type::kUInt64:
      return 8;
    case Type::kOther:
      break;
  }
  return 0;
}

std::string_view name_of(Type type) {
  switch (type) {
    case Type::kFloat16:
      return "float16";
    case Type::kBFloat16:
      return "bf16";
    case Type::kFloat32:
      return "float32";
    case Type::kFloat64:
      return "float64";
    case Type::kInt32:
      return "int32";
    case Type::kInt64:
      return "int64";
    case Type::kUInt8:
      return "uint8";
    case Type::kUInt16:
      return "uint16";
    case Type::kUInt64:
      return "uint64";
    case Type::kOther:
      break;
  }
  return "another type";
}

Type type_of(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return Type::kFloat32;
    case DType::kBFloat16:
      return Type::kBFloat16;
    case DType::kFloat64:
      return Type::kFloat64;
    case DType::kInt32:
      return Type::kInt32;
  }
  return Type::kOther;
}

std::string to_string(const Shape& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

Handle::Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}

Handle& Handle::operator=(Handle&& other) noexcept {
  if (this != &other) {
    reset();
    id_ = std::exchange(other.id_, -1);
    close_ = other.close_;
  }
  return *this;
}

int Handle::reset() {
  if (id_ < 0) return 0;
  silence();
  return close_(std::exchange(id_, -1));
}

// Attributes --------------------------------------------------------------------------------------

namespace {

std::string attribute_label(const Object& object, const std::string& name) {
  return fmt::format("{}@{}", object.label(), name);
}

void write_raw_attribute(hid_t object, const std::string& label, const std::string& name,
                         const Handle& type, const Handle& space, const void* data) {
  if (H5Aexists(object, name.c_str()) > 0) {
    check(H5Adelete(object, name.c_str()), label, "replace the attribute");
  }
  const Handle attribute =
      own(H5Acreate2(object, name.c_str(), type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT),
          close_attribute, label, "create the attribute");
  check(H5Awrite(attribute.get(), type.get(), data), label, "write the attribute");
}

Handle scalar_space() { return Handle(H5Screate(H5S_SCALAR), close_space); }

Handle vector_space(std::size_t size) {
  const hsize_t extent = size;
  return Handle(H5Screate_simple(1, &extent, nullptr), close_space);
}

// Opens an attribute of class `kind` and returns its number of elements as well.
struct OpenAttribute {
  Handle handle, type;
  std::uint64_t elements = 0;
};

OpenAttribute open_attribute(hid_t object, const std::string& label, const std::string& name) {
  silence();
  require<DataError>(H5Aexists(object, name.c_str()) > 0, "hdf5", "{}: the attribute is missing",
                     label);
  OpenAttribute attribute;
  attribute.handle =
      own(H5Aopen(object, name.c_str(), H5P_DEFAULT), close_attribute, label, "open the attribute");
  attribute.type = own(H5Aget_type(attribute.handle.get()), close_type, label, "read its type");
  const Handle space =
      own(H5Aget_space(attribute.handle.get()), close_space, label, "read its shape");
  attribute.elements = 1;
  for (std::uint64_t n : dimensions(space.get(), label)) attribute.elements *= n;
  return attribute;
}

template <class T>
std::vector<T> read_numbers(hid_t object, const std::string& label, const std::string& name) {
  constexpr bool kInteger = std::is_integral_v<T>;
  constexpr std::uint64_t kMost = 1 << 22;
  const OpenAttribute attribute = open_attribute(object, label, name);
  const H5T_class_t kind = H5Tget_class(attribute.type.get());
  require<DataError>(kind == H5T_INTEGER || (!kInteger && kind == H5T_FLOAT), "hdf5",
                     "{}: is not {}", label, kInteger ? "an integer" : "a number");
  require<DataError>(attribute.elements <= kMost, "hdf5",
                     "{}: has {} elements, at most {} are read", label, attribute.elements, kMost);
  std::vector<T> values(attribute.elements);
  const hid_t memory = kInteger ? H5T_NATIVE_INT64 : H5T_NATIVE_DOUBLE;
  if (!values.empty()) {
    check(H5Aread(attribute.handle.get(), memory, values.data()), label, "read the attribute");
  }
  return values;
}

template <class T>
T read_number(hid_t object, const std::string& label, const std::string& name) {
  const std::vector<T> values = read_numbers<T>(object, label, name);
  require<DataError>(values.size() == 1, "hdf5", "{}: has {} elements, 1 is needed", label,
                     values.size());
  return values[0];
}

std::string read_variable_string(const OpenAttribute& attribute, const std::string& label) {
  char* text = nullptr;
  const Handle memory(H5Tcopy(attribute.type.get()), close_type);
  check(H5Aread(attribute.handle.get(), memory.get(), &text), label, "read the attribute");
  std::string value = text ? text : "";
  H5free_memory(text);
  return value;
}

}  // namespace

bool Object::has_attribute(const std::string& name) const {
  silence();
  return H5Aexists(id(), name.c_str()) > 0;
}

void Object::write_attribute(const std::string& name, std::string_view value) {
  silence();
  const Handle type(H5Tcopy(H5T_C_S1), close_type);
  const std::string text(value.empty() ? std::string_view("\0", 1) : value);
  H5Tset_size(type.get(), text.size());
  H5Tset_strpad(type.get(), H5T_STR_NULLPAD);
  H5Tset_cset(type.get(), H5T_CSET_UTF8);
  write_raw_attribute(id(), attribute_label(*this, name), name, type, scalar_space(), text.data());
}

void Object::write_attribute(const std::string& name, std::int64_t value) {
  silence();
  write_raw_attribute(id(), attribute_label(*this, name), name, stored_type(Type::kInt64),
                      scalar_space(), &value);
}

void Object::write_attribute(const std::string& name, double value) {
  silence();
  write_raw_attribute(id(), attribute_label(*this, name), name, stored_type(Type::kFloat64),
                      scalar_space(), &value);
}

void Object::write_attribute(const std::string& name, std::span<const double> values) {
  silence();
  write_raw_attribute(id(), attribute_label(*this, name), name, stored_type(Type::kFloat64),
                      vector_space(values.size()), values.data());
}

void Object::write_attribute(const std::string& name, std::span<const std::int64_t> values) {
  silence();
  write_raw_attribute(id(), attribute_label(*this, name), name, stored_type(Type::kInt64),
                      vector_space(values.size()), values.data());
}

std::string Object::read_string(const std::string& name) const {
  const std::string label = attribute_label(*this, name);
  const OpenAttribute attribute = open_attribute(id(), label, name);
  require<DataError>(H5Tget_class(attribute.type.get()) == H5T_STRING && attribute.elements == 1,
                     "hdf5", "{}: is not a string", label);
  if (H5Tis_variable_str(attribute.type.get()) > 0) return read_variable_string(attribute, label);
  const std::size_t size = H5Tget_size(attribute.type.get());
  require<DataError>(size <= (1u << 26), "hdf5", "{}: is a string of {} bytes", label, size);
  std::string value(size, '\0');
  check(H5Aread(attribute.handle.get(), attribute.type.get(), value.data()), label,
        "read the attribute");
  value.resize(std::min(value.find('\0'), value.size()));
  return value;
}

std::int64_t Object::read_int(const std::string& name) const {
  return read_number<std::int64_t>(id(), attribute_label(*this, name), name);
}

double Object::read_double(const std::string& name) const {
  return read_number<double>(id(), attribute_label(*this, name), name);
}

std::vector<double> Object::read_doubles(const std::string& name) const {
  return read_numbers<double>(id(), attribute_label(*this, name), name);
}

std::vector<std::int64_t> Object::read_ints(const std::string& name) const {
  return read_numbers<std::int64_t>(id(), attribute_label(*this, name), name);
}

// Data sets ---------------------------------------------------------------------------------------

DataSet::DataSet(Handle handle, std::string label) : Object(std::move(handle), std::move(label)) {
  const Handle type = own(H5Dget_type(id()), close_type, label_, "read its type");
  type_ = identify(type.get());
  const Handle space = own(H5Dget_space(id()), close_space, label_, "read its shape");
  shape_ = dimensions(space.get(), label_);
  if (type_ == Type::kUInt16 && has_attribute("dtype") && read_string("dtype") == "bf16") {
    type_ = Type::kBFloat16;
  }
}

std::uint64_t DataSet::row_elements() const {
  std::uint64_t product = 1;
  for (std::size_t i = 1; i < shape_.size(); ++i) product *= shape_[i];
  return product;
}

void DataSet::transfer(std::uint64_t first, std::uint64_t count, Type type, void* data,
                       bool write) const {
  silence();
  require<DataError>(first <= rows() && count <= rows() - first, "hdf5",
                     "{}: rows {} to {} asked for, it has {}", label_, first, first + count,
                     rows());
  if (count == 0 || elements() == 0) return;
  const Handle file_space = own(H5Dget_space(id()), close_space, label_, "read its shape");
  if (!shape_.empty()) {
    std::vector<hsize_t> start(shape_.size(), 0), extent(shape_.begin(), shape_.end());
    start[0] = first;
    extent[0] = count;
    check(H5Sselect_hyperslab(file_space.get(), H5S_SELECT_SET, start.data(), nullptr,
                              extent.data(), nullptr),
          label_, "select rows");
  }
  const Handle memory_space = vector_space(count * row_elements());
  const Handle memory_type = stored_type(type);
  const herr_t status = write ? H5Dwrite(id(), memory_type.get(), memory_space.get(),
                                         file_space.get(), H5P_DEFAULT, data)
                              : H5Dread(id(), memory_type.get(), memory_space.get(),
                                        file_space.get(), H5P_DEFAULT, data);
  check(status, label_,
        fmt::format("{} rows {} to {}", write ? "write" : "read", first, first + count));
}

void DataSet::read_rows(std::uint64_t first, std::uint64_t count, Type type, void* data) const {
  require<DataError>(type_ != Type::kOther, "hdf5", "{}: holds an unsupported element type",
                     label_);
  transfer(first, count, type, data, false);
}

void DataSet::write_rows(std::uint64_t first, std::uint64_t count, Type type, const void* data) {
  transfer(first, count, type, const_cast<void*>(data), true);
}

std::optional<std::uint64_t> DataSet::raw_offset() const {
  silence();
  const Handle properties =
      own(H5Dget_create_plist(id()), close_properties, label_, "read its layout");
  const bool plain = H5Pget_layout(properties.get()) == H5D_CONTIGUOUS &&
                     H5Pget_external_count(properties.get()) == 0 && type_ != Type::kOther &&
                     H5Dget_storage_size(id()) == elements() * size_of(type_);
  const haddr_t offset = plain ? H5Dget_offset(id()) : HADDR_UNDEF;
  H5Eclear2(H5E_DEFAULT);
  if (offset == HADDR_UNDEF) return std::nullopt;
  return offset;
}

void DataSet::require_plausible_size() const {
  silence();
  constexpr std::uint64_t kBestCompression = 1100;  // deflate reaches 1032 : 1
  const std::uint64_t stored = H5Dget_storage_size(id());
  const std::uint64_t needed = elements() * size_of(type_);
  require<DataError>(needed / kBestCompression <= stored, "hdf5",
                     "{}: shape {} needs {} bytes, {} are stored", label_, to_string(shape_),
                     needed, stored);
}

// Files -------------------------------------------------------------------------------------------

namespace {

Handle open_root(hid_t file, const std::string& label) {
  return own(H5Gopen2(file, "/", H5P_DEFAULT), close_group, label, "open its root group");
}

}  // namespace

File::File(Handle file, Handle root, const std::filesystem::path& path, bool writable)
    : Object(std::move(root), path.string() + ":/"),
      file_(std::move(file)),
      path_(path),
      writable_(writable) {}

File File::open(const std::filesystem::path& path) {
  silence();
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), close_properties);
  H5Pset_file_locking(access.get(), false, true);
  H5Pset_fclose_degree(access.get(), H5F_CLOSE_STRONG);
  Handle file = own(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get()), close_file, path.string(),
                    "open it as HDF5");
  Handle root = open_root(file.get(), path.string());
  return File(std::move(file), std::move(root), path, false);
}

File File::create(const std::filesystem::path& path, std::uint64_t user_block) {
  silence();
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), close_properties);
  H5Pset_file_locking(access.get(), false, true);
  H5Pset_fclose_degree(access.get(), H5F_CLOSE_STRONG);
  const Handle creation(H5Pcreate(H5P_FILE_CREATE), close_properties);
  H5Pset_obj_track_times(creation.get(), false);
  if (user_block > 0)
    check(H5Pset_userblock(creation.get(), user_block), path.string(), "create it");
  Handle file = own(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation.get(), access.get()),
                    close_file, path.string(), "create it");
  Handle root = open_root(file.get(), path.string());
  return File(std::move(file), std::move(root), path, true);
}

bool File::has(const std::string& name) const {
  silence();
  // Every group on the way must exist, or H5Lexists fails instead of answering.
  for (std::size_t slash = name.find('/', 1); slash != std::string::npos;
       slash = name.find('/', slash + 1)) {
    if (H5Lexists(id(), name.substr(0, slash).c_str(), H5P_DEFAULT) <= 0) return false;
  }
  return H5Lexists(id(), name.c_str(), H5P_DEFAULT) > 0;
}

std::vector<std::string> File::names(const std::string& group) const {
  silence();
  const std::string label = path_.string() + ":" + group;
  const Handle handle =
      own(H5Gopen2(file_.get(), group.c_str(), H5P_DEFAULT), close_group, label, "open the group");
  std::vector<std::string> names;
  const auto collect = [](hid_t, const char* name, const H5L_info_t*, void* out) -> herr_t {
    static_cast<std::vector<std::string>*>(out)->emplace_back(name);
    return 0;
  };
  check(H5Literate(handle.get(), H5_INDEX_NAME, H5_ITER_INC, nullptr, collect, &names), label,
        "list the group");
  return names;
}

DataSet File::dataset(const std::string& name) const {
  silence();
  const std::string label = fmt::format("{}:/{}", path_.string(), name);
  require<DataError>(has(name), "hdf5", "{}: the data set is missing", label);
  Handle handle =
      own(H5Dopen2(id(), name.c_str(), H5P_DEFAULT), close_dataset, label, "open the data set");
  return DataSet(std::move(handle), label);
}

DataSet File::create_dataset(const std::string& name, Type type, const Shape& shape,
                             std::uint64_t chunk_rows) {
  silence();
  const std::string label = fmt::format("{}:/{}", path_.string(), name);
  const Handle links(H5Pcreate(H5P_LINK_CREATE), close_properties);
  H5Pset_create_intermediate_group(links.get(), 1);
  const Handle creation(H5Pcreate(H5P_DATASET_CREATE), close_properties);
  H5Pset_obj_track_times(creation.get(), false);
  H5Pset_fill_time(creation.get(), H5D_FILL_TIME_NEVER);
  std::vector<hsize_t> extent(shape.begin(), shape.end());
  if (chunk_rows > 0 && !shape.empty()) {
    std::vector<hsize_t> chunk = extent;
    chunk[0] = std::min<hsize_t>(chunk_rows, std::max<hsize_t>(extent[0], 1));
    check(H5Pset_chunk(creation.get(), static_cast<int>(chunk.size()), chunk.data()), label,
          "set its chunks");
  } else {
    // Space is taken now, so that raw_offset() is known and data follow each other in the file.
    H5Pset_alloc_time(creation.get(), H5D_ALLOC_TIME_EARLY);
  }
  const Handle space(
      shape.empty() ? H5Screate(H5S_SCALAR)
                    : H5Screate_simple(static_cast<int>(extent.size()), extent.data(), nullptr),
      close_space);
  Handle handle = own(H5Dcreate2(id(), name.c_str(), stored_type(type).get(), space.get(),
                                 links.get(), creation.get(), H5P_DEFAULT),
                      close_dataset, label, "create the data set");
  DataSet dataset(std::move(handle), label);
  if (type == Type::kBFloat16) {
    dataset.write_attribute("dtype", "bf16");
    dataset.type_ = Type::kBFloat16;
  }
  return dataset;
}

void File::close() {
  silence();
  const std::string path = path_.string();
  if (writable_) check(H5Fflush(file_.get(), H5F_SCOPE_GLOBAL), path, "write it out");
  check(handle_.reset(), path, "close it");
  check(file_.reset(), path, "close it");
}

}  // namespace edt::h5
