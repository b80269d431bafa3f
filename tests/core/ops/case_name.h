// Op cases as GoogleTest parameters.
#pragma once

#include <gtest/gtest.h>

#include <cctype>
#include <ostream>
#include <string>

#include "core/ops/cases/op_case.h"

namespace edt {

inline void PrintTo(const OpCase& op_case, std::ostream* out) { *out << op_case.name(); }

// Letters, digits and single underscores only.
inline std::string case_name(const testing::TestParamInfo<OpCase>& info) {
  std::string name;
  for (const char c : info.param.name()) {
    if (std::isalnum(static_cast<unsigned char>(c))) {
      name += c;
    } else if (!name.empty() && name.back() != '_') {
      name += '_';
    }
  }
  while (name.back() == '_') name.pop_back();
  return name;
}

}  // namespace edt
