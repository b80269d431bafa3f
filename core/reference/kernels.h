// The one class behind make_reference_backend(); each op family's kernels are in their own file.
#pragma once

#include "core/ops/kernel_list.h"

namespace edt {

class ReferenceBackend final : public Backend {
 public:
  EDT_BACKEND_KERNELS

  // device.cpp
  std::string_view name() const override { return "reference"; }
  Memory& memory() override { return host_memory(); }
  void zero(T tensor) override;
  void fill(T tensor, double value) override;
  void copy(T from, T to) override;
  void add_into(T from, T to) override;
};

}  // namespace edt
