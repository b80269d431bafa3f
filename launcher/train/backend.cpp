#include "launcher/train/backend.h"

#include <omp.h>

#include "core/cpu/cpu_backend.h"
#include "core/reference/reference_backend.h"

namespace edt {

std::unique_ptr<Backend> make_backend(BackendKind kind, int threads) {
  if (threads > 0) omp_set_num_threads(threads);
  return kind == BackendKind::kReference ? make_reference_backend() : make_cpu_backend();
}

}  // namespace edt
