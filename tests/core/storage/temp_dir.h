// Moved to tests/support.
#pragma once

#include "tests/support/temp_dir.h"
