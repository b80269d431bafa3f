// From a run-time dtype to a compile-time element type.
#pragma once

#include <fmt/format.h>

#include <array>
#include <string_view>

#include "core/base/dtype.h"
#include "core/base/error.h"

namespace edt {

// Calls f(T{}) with the one of `Types` that `dtype` names; `where` lacks all others.
template <class... Types, class F>
void with_type_among(std::string_view where, DType dtype, F&& f) {
  const bool known = ((dtype == dtype_of<Types> && (f(Types{}), true)) || ...);
  if (known) return;
  const std::array names{name_of(dtype_of<Types>)...};
  fail<NotImplemented>(where, "{} tensors are not implemented, {} are", name_of(dtype),
                       fmt::join(names, ", "));
}

}  // namespace edt
