#include "core/base/assert.h"

#include "core/base/error.h"

namespace edt {

void assertion_failed(const char* expression, const char* file, int line) {
  fail("bug", "{}:{}: assertion failed: {}", file, line, expression);
}

}  // namespace edt
