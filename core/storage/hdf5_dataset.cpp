#include <fmt/format.h>

#include "core/base/error.h"
#include "core/storage/hdf5_calls.h"

namespace edt::h5 {

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

}  // namespace edt::h5
