#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/base/error.h"
#include "core/storage/hdf5_calls.h"

namespace edt::h5 {

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

// h5py writes truth values as an enumeration, which HDF5 does not convert to numbers.
template <class T>
std::vector<T> read_enumeration(const OpenAttribute& attribute, hid_t memory,
                                const std::string& label) {
  const Handle base = own(H5Tget_super(attribute.type.get()), close_type, label, "read its type");
  const std::size_t size = std::max(sizeof(T), H5Tget_size(attribute.type.get()));
  std::vector<std::byte> bytes(attribute.elements * size);
  check(H5Aread(attribute.handle.get(), attribute.type.get(), bytes.data()), label,
        "read the attribute");
  check(H5Tconvert(base.get(), memory, attribute.elements, bytes.data(), nullptr, H5P_DEFAULT),
        label, "convert the attribute");
  std::vector<T> values(attribute.elements);
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
  return values;
}

template <class T>
std::vector<T> read_numbers(hid_t object, const std::string& label, const std::string& name) {
  constexpr bool kInteger = std::is_integral_v<T>;
  constexpr std::uint64_t kMost = 1 << 22;
  const OpenAttribute attribute = open_attribute(object, label, name);
  const H5T_class_t kind = H5Tget_class(attribute.type.get());
  require<DataError>(kind == H5T_INTEGER || kind == H5T_ENUM || (!kInteger && kind == H5T_FLOAT),
                     "hdf5", "{}: is not {}", label, kInteger ? "an integer" : "a number");
  require<DataError>(attribute.elements <= kMost, "hdf5",
                     "{}: has {} elements, at most {} are read", label, attribute.elements, kMost);
  std::vector<T> values(attribute.elements);
  const hid_t memory = kInteger ? H5T_NATIVE_INT64 : H5T_NATIVE_DOUBLE;
  if (values.empty()) return values;
  if (kind == H5T_ENUM) return read_enumeration<T>(attribute, memory, label);
  check(H5Aread(attribute.handle.get(), memory, values.data()), label, "read the attribute");
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

void Object::write_value(const std::string& name, const AttributeValue& value) {
  std::visit(
      [&]<class T>(const T& values) {
        if constexpr (std::is_same_v<T, std::string>) {
          write_attribute(name, std::string_view(values));
        } else if (values.size() == 1) {
          write_attribute(name, values[0]);
        } else {
          write_attribute(name, std::span(values));
        }
      },
      value);
}

std::vector<std::string> Object::attribute_names() const {
  silence();
  std::vector<std::string> names;
  const auto collect = [](hid_t, const char* name, const H5A_info_t*, void* out) -> herr_t {
    static_cast<std::vector<std::string>*>(out)->emplace_back(name);
    return 0;
  };
  check(H5Aiterate2(id(), H5_INDEX_NAME, H5_ITER_INC, nullptr, collect, &names), label_,
        "list its attributes");
  return names;
}

std::optional<AttributeValue> Object::read_value(const std::string& name) const {
  const std::string label = attribute_label(*this, name);
  const Handle handle =
      own(H5Aopen(id(), name.c_str(), H5P_DEFAULT), close_attribute, label, "open the attribute");
  const Handle space = own(H5Aget_space(handle.get()), close_space, label, "read its shape");
  constexpr hssize_t kMost = 1 << 16;  // elements; nobody's label is that long
  const hssize_t elements = H5Sget_simple_extent_npoints(space.get());
  if (elements < 1 || elements > kMost) return std::nullopt;
  const OpenAttribute attribute = open_attribute(id(), label, name);
  switch (H5Tget_class(attribute.type.get())) {
    case H5T_STRING:
      if (attribute.elements != 1) return std::nullopt;
      return read_string(name);
    case H5T_ENUM:
    case H5T_INTEGER:
      return read_ints(name);
    case H5T_FLOAT:
      return read_doubles(name);
    default:
      return std::nullopt;
  }
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

}  // namespace edt::h5
