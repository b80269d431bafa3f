#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/base/error.h"
#include "core/storage/hdf5_calls.h"

namespace edt::h5 {

namespace {

Handle creation_properties(hid_t dataset, const std::string& label) {
  return own(H5Dget_create_plist(dataset), close_properties, label, "read its layout");
}

}  // namespace

DataSet::DataSet(Handle handle, std::string label) : Object(std::move(handle), std::move(label)) {
  const Handle type = own(H5Dget_type(id()), close_type, label_, "read its type");
  Element element = identify(type.get());
  type_ = element.type;
  exact_ = element.exact;
  truth_ = element.truth;
  type_name_ = std::move(element.name);
  const Handle space = own(H5Dget_space(id()), close_space, label_, "read its shape");
  shape_ = dimensions(space.get(), label_);
  if (type_ == Type::kUInt16 && has_attribute("dtype") && read_string("dtype") == "bf16") {
    type_ = Type::kBFloat16;
    type_name_ = name_of(type_);
  }
  storage_ = storage_of(creation_properties(id(), label_).get(), label_);
}

std::uint64_t DataSet::row_elements() const {
  std::uint64_t product = 1;
  for (std::size_t i = 1; i < shape_.size(); ++i) product *= shape_[i];
  return product;
}

void DataSet::transfer(std::uint64_t first, std::uint64_t count, std::int64_t memory_type,
                       void* data, bool write) const {
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
  const herr_t status =
      write ? H5Dwrite(id(), memory_type, memory_space.get(), file_space.get(), H5P_DEFAULT, data)
            : H5Dread(id(), memory_type, memory_space.get(), file_space.get(), H5P_DEFAULT, data);
  check(status, label_,
        fmt::format("{} rows {} to {}", write ? "write" : "read", first, first + count));
}

void DataSet::read_rows(std::uint64_t first, std::uint64_t count, Type type, void* data) const {
  require<DataError>(type_ != Type::kOther, "hdf5", "{}: its elements are of type {}, not numbers",
                     label_, type_name_);
  if (truth_) return read_truth_values(first, count, type, data);
  transfer(first, count, stored_type(type).get(), data, false);
}

void DataSet::read_truth_values(std::uint64_t first, std::uint64_t count, Type type,
                                void* data) const {
  const Handle own_type = own(H5Dget_type(id()), close_type, label_, "read its type");
  const Handle base = own(H5Tget_super(own_type.get()), close_type, label_, "read its type");
  const std::uint64_t values = count * row_elements();
  std::vector<std::byte> bytes(values * std::max(size_of(type), H5Tget_size(own_type.get())));
  transfer(first, count, own_type.get(), bytes.data(), false);
  check(H5Tconvert(base.get(), stored_type(type).get(), values, bytes.data(), nullptr, H5P_DEFAULT),
        label_, "convert its truth values");
  std::memcpy(data, bytes.data(), values * size_of(type));
}

void DataSet::write_rows(std::uint64_t first, std::uint64_t count, Type type, const void* data) {
  transfer(first, count, stored_type(type).get(), const_cast<void*>(data), true);
}

}  // namespace edt::h5
