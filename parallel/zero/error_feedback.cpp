#include "parallel/zero/error_feedback.h"

#include <cmath>

#include "parallel/comm/wire.h"
#include "parallel/sharding/flat_state.h"

namespace edt {

ErrorFeedback::ErrorFeedback(Device& device, std::int64_t elements, Wire wire)
    : wire_(wire), kept_(zeroed_floats(device, elements)) {
  EDT_ASSERT(device.in_host_memory());
}

// Values that are not finite stay so, and nothing of them is kept.
void ErrorFeedback::apply(std::int64_t offset, std::span<float> values) {
  float* const kept = static_cast<float*>(kept_.data()) + offset;
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] += kept[i];
    kept[i] = values[i];
  }
  round_as(wire_, values);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float lost = kept[i] - values[i];
    kept[i] = std::isfinite(lost) ? lost : 0;
  }
}

}  // namespace edt
