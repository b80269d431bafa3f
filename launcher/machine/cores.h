// How many cores this process may use, and how many threads share them.
#pragma once

#include <string>

namespace edt {

// By affinity, and by the quota of the control group.
double usable_cores();
// "8 OpenMP threads share 2 cores: ...": each waits for all the others at every product.
std::string crowded_threads(int threads, double cores);

}  // namespace edt
