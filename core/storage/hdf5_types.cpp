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

Type equal_type(hid_t type) {
  for (Type candidate :
       {Type::kFloat16, Type::kFloat32, Type::kFloat64, Type::kInt8, Type::kInt16, Type::kInt32,
        Type::kInt64, Type::kUInt8, Type::kUInt16, Type::kUInt32, Type::kUInt64}) {
    if (H5Tequal(type, stored_type(candidate).get()) > 0) return candidate;
  }
  return Type::kOther;
}

std::string describe(hid_t type) {
  switch (H5Tget_class(type)) {
    case H5T_STRING:
      return "string";
    case H5T_BITFIELD:
      return "bit field";
    case H5T_OPAQUE:
      return fmt::format("opaque of {} bytes", H5Tget_size(type));
    case H5T_COMPOUND:
      return "compound";
    case H5T_REFERENCE:
      return H5Tequal(type, H5T_STD_REF_OBJ) > 0 ? "object reference" : "region reference";
    case H5T_ENUM:
      return "enumeration";
    case H5T_VLEN:
      return "variable-length sequence";
    case H5T_ARRAY:
      return "array";
    default:
      return "another type";
  }
}

// FALSE = 0 and TRUE = 1, whatever integers they are.
bool has_truth_values(hid_t type) {
  if (H5Tget_nmembers(type) != 2) return false;
  const Handle base(H5Tget_super(type), close_type);
  bool has[2] = {};
  for (unsigned member = 0; member < 2; ++member) {
    std::int64_t value = 0;  // as wide as any
    char* const name = H5Tget_member_name(type, member);
    const bool known =
        name != nullptr && H5Tget_member_value(type, member, &value) >= 0 &&
        H5Tconvert(base.get(), H5T_NATIVE_INT64, 1, &value, nullptr, H5P_DEFAULT) >= 0;
    const std::string text = name == nullptr ? "" : name;
    H5free_memory(name);
    if (known && value == 0 && text == "FALSE") has[0] = true;
    if (known && value == 1 && text == "TRUE") has[1] = true;
  }
  return has[0] && has[1];
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
    case Type::kInt8:
      return Handle(H5Tcopy(H5T_STD_I8LE), close_type);
    case Type::kInt16:
      return Handle(H5Tcopy(H5T_STD_I16LE), close_type);
    case Type::kInt32:
      return Handle(H5Tcopy(H5T_STD_I32LE), close_type);
    case Type::kInt64:
      return Handle(H5Tcopy(H5T_STD_I64LE), close_type);
    case Type::kUInt8:
      return Handle(H5Tcopy(H5T_STD_U8LE), close_type);
    case Type::kBFloat16:
    case Type::kUInt16:
      return Handle(H5Tcopy(H5T_STD_U16LE), close_type);
    case Type::kUInt32:
      return Handle(H5Tcopy(H5T_STD_U32LE), close_type);
    case Type::kUInt64:
      return Handle(H5Tcopy(H5T_STD_U64LE), close_type);
    case Type::kOther:
      break;
  }
  EDT_ASSERT(!"a type that can be stored");
}

Element identify(hid_t type) {
  const Type exact = equal_type(type);
  if (exact != Type::kOther) return {exact, true, false, std::string(name_of(exact))};
  const H5T_class_t kind = H5Tget_class(type);
  if (kind == H5T_ENUM && has_truth_values(type)) return {Type::kInt8, false, true, "bool"};
  if (kind != H5T_INTEGER && kind != H5T_FLOAT) return {Type::kOther, false, false, describe(type)};
  const Handle little(H5Tcopy(type), close_type);
  H5Tset_order(little.get(), H5T_ORDER_LE);
  if (const Type swapped = equal_type(little.get()); swapped != Type::kOther) {
    return {swapped, false, false, fmt::format("big-endian {}", name_of(swapped))};
  }
  // Fewer bits than bytes, or a float of another format: HDF5 knows the type that holds it.
  const Handle native(H5Tget_native_type(type, H5T_DIR_ASCEND), close_type);
  const Type holding = native.get() < 0 ? Type::kOther : equal_type(native.get());
  return {holding, false, false,
          fmt::format("{} of {} bits in {} bytes", kind == H5T_FLOAT ? "float" : "integer",
                      H5Tget_precision(type), H5Tget_size(type))};
}

std::size_t size_of(Type type) {
  switch (type) {
    case Type::kInt8:
    case Type::kUInt8:
      return 1;
    case Type::kFloat16:
    case Type::kBFloat16:
    case Type::kInt16:
    case Type::kUInt16:
      return 2;
    case Type::kFloat32:
    case Type::kInt32:
    case Type::kUInt32:
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
    case Type::kInt8:
      return "int8";
    case Type::kInt16:
      return "int16";
    case Type::kInt32:
      return "int32";
    case Type::kInt64:
      return "int64";
    case Type::kUInt8:
      return "uint8";
    case Type::kUInt16:
      return "uint16";
    case Type::kUInt32:
      return "uint32";
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

bool is_integer(Type type) {
  return type != Type::kOther && type != Type::kFloat16 && type != Type::kBFloat16 &&
         type != Type::kFloat32 && type != Type::kFloat64;
}

std::string to_string(const Shape& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

}  // namespace edt::h5
