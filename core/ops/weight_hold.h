// What holds another form of a weight, with which a backend multiplies for as long as it is held.
#pragma once

#include <memory>

namespace edt {

using WeightHold = std::shared_ptr<const void>;

}  // namespace edt
