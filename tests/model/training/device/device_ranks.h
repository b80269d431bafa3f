// Short trainings on the emulated GPU, among ranks that are threads.
#pragma once

#include "short_training.h"

namespace edt::test {

// What the first rank saw.
Outcome train_on_gpus(const Setting& setting);

}  // namespace edt::test
