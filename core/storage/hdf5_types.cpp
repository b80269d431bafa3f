// Element types, in memory and in files.
#include <fmt/ranges.h>

#include "core/base/assert.h"
#include "core/storage/hdf5_calls.h"

namespace edt::h5 {

namespace {

// IEEE binary16, which HDF5 1.10 has no ready-made type for.
Handle float16_type() {
  Handle type(H5Tcopy(H5T_IEEE_F32LE), close_type);
  H5Tset_fields(type.get(), 15, 10, 5, 0, 10);
  H5Tset_size(type.get(), 2);
  H5Tset_ebias(type.get(), 15);
  return type;
}

}  // namespace

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

}  // namespace edt::h5
