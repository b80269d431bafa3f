#include "core/base/error.h"

namespace edt {

Error::Error(std::string_view where, std::string_view what)
    : std::runtime_error(fmt::format("[{}] {}", where, what)) {}

}  // namespace edt
