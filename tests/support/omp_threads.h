// A number of threads that does not depend on the machine; what was set before comes back.
#pragma once

#include <omp.h>

namespace edt::test {

class OmpThreads {
 public:
  explicit OmpThreads(int count) { omp_set_num_threads(count); }
  ~OmpThreads() { omp_set_num_threads(before_); }
  OmpThreads(const OmpThreads&) = delete;
  OmpThreads& operator=(const OmpThreads&) = delete;

 private:
  int before_ = omp_get_max_threads();
};

}  // namespace edt::test
