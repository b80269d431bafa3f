// The GPU that tests run on; without one they are skipped and say so.
#pragma once

#include <gtest/gtest.h>

#include "core/cuda/cuda_backend.h"

#define EDT_NEEDS_GPU() \
  if (cuda_device_count() == 0) GTEST_SKIP() << "no GPU: " << cuda_absence()
