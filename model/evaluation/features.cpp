#include "model/evaluation/features.h"

#include "core/base/error.h"

namespace edt {

void check_same_width(const Features& reference, const Features& samples) {
  if (reference.width == samples.width) return;
  fail<DataError>("evaluation", "the reference has features of {} numbers, the samples of {}",
                  reference.width, samples.width);
}

}  // namespace edt
