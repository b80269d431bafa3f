// Data sets of texts.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/base/assert.h"
#include "core/base/error.h"
#include "core/storage/hdf5_calls.h"

namespace edt::h5 {

namespace {

constexpr std::size_t kLongest = 1 << 20;  // bytes of a text

std::string without_padding(std::string_view text, H5T_str_t padding) {
  text = text.substr(0, std::min(text.find('\0'), text.size()));
  if (padding == H5T_STR_SPACEPAD) text = text.substr(0, text.find_last_not_of(' ') + 1);
  return std::string(text);
}

// What HDF5 has allocated for texts of variable length.
class VariableTexts {
 public:
  VariableTexts(hid_t type, std::size_t count)
      : type_(type), space_(vector_space(count)), texts_(count) {}
  ~VariableTexts() { H5Dvlen_reclaim(type_, space_.get(), H5P_DEFAULT, texts_.data()); }
  VariableTexts(const VariableTexts&) = delete;
  VariableTexts& operator=(const VariableTexts&) = delete;

  void* data() { return texts_.data(); }
  std::vector<std::string> copied(const std::string& label) const {
    std::vector<std::string> out;
    for (const char* text : texts_) {
      out.emplace_back(text == nullptr ? "" : text);
      require<DataError>(out.back().size() <= kLongest, "hdf5", "{}: holds a text of {} bytes",
                         label, out.back().size());
    }
    return out;
  }

 private:
  hid_t type_;
  Handle space_;
  std::vector<char*> texts_;
};

}  // namespace

std::vector<std::string> DataSet::read_strings(std::uint64_t first, std::uint64_t count) const {
  silence();
  const Handle type = own(H5Dget_type(id()), close_type, label_, "read its type");
  require<DataError>(H5Tget_class(type.get()) == H5T_STRING, "hdf5",
                     "{}: its elements are of type {}, not texts", label_, type_name_);
  if (H5Tis_variable_str(type.get()) > 0) {
    VariableTexts texts(type.get(), count * row_elements());
    transfer(first, count, type.get(), texts.data(), false);
    return texts.copied(label_);
  }
  const std::size_t size = H5Tget_size(type.get());
  require<DataError>(size >= 1 && size <= kLongest, "hdf5", "{}: holds texts of {} bytes", label_,
                     size);
  std::vector<char> bytes(count * row_elements() * size);
  transfer(first, count, type.get(), bytes.data(), false);
  std::vector<std::string> out;
  for (std::size_t begin = 0; begin < bytes.size(); begin += size) {
    out.push_back(without_padding({bytes.data() + begin, size}, H5Tget_strpad(type.get())));
  }
  return out;
}

DataSet File::create_strings(const std::string& name, std::span<const std::string> values,
                             Bytes* stored_at) {
  silence();
  const std::string label = fmt::format("{}:/{}", path_.string(), name);
  std::size_t size = 1;
  for (const std::string& value : values) size = std::max(size, value.size());
  EDT_ASSERT(!values.empty() && size <= kLongest);
  const Handle type(H5Tcopy(H5T_C_S1), close_type);
  H5Tset_size(type.get(), size);
  H5Tset_strpad(type.get(), H5T_STR_NULLPAD);
  H5Tset_cset(type.get(), H5T_CSET_UTF8);
  const Handle creation(H5Pcreate(H5P_DATASET_CREATE), close_properties);
  H5Pset_obj_track_times(creation.get(), false);
  H5Pset_alloc_time(creation.get(), H5D_ALLOC_TIME_EARLY);
  const Handle space = vector_space(values.size());
  DataSet set(own(H5Dcreate2(id(), name.c_str(), type.get(), space.get(), H5P_DEFAULT,
                             creation.get(), H5P_DEFAULT),
                  close_dataset, label, "create the data set"),
              label);
  std::vector<char> bytes(values.size() * size, '\0');
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::memcpy(bytes.data() + i * size, values[i].data(), values[i].size());
  }
  set.transfer(0, values.size(), type.get(), bytes.data(), true);
  *stored_at = {H5Dget_offset(set.id()), bytes.size()};
  return set;
}

}  // namespace edt::h5
