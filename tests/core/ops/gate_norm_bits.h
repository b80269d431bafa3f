// What gate_norm() promises of any backend: the bits of the two ops that it stands for.
#pragma once

#include <gmock/gmock.h>

#include "core/ops/cases/case_run.h"
#include "core/ops/cases/op_case.h"

namespace edt::test {

inline void expect_bits_of_two_ops(Backend& backend, DType dtype) {
  for (GateNormShape shape : gate_norm_shapes()) {
    const OpCase one = gate_norm_case(shape);
    shape.apart = true;
    const auto values = run_case(one, backend, dtype, 2);
    const auto expected = run_case(gate_norm_case(shape), backend, dtype, 2);
    ASSERT_EQ(values.size(), expected.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      EXPECT_EQ(values[i].values, expected[i].values)
          << one.name() << ", " << name_of(dtype) << ", " << values[i].name;
    }
  }
}

}  // namespace edt::test
