// Else the values of each case are given back to the system and asked for again, half of all time.
#include <malloc.h>

namespace edt {
namespace {

[[maybe_unused]] const bool keeps_what_is_freed =
    mallopt(M_MMAP_THRESHOLD, 256 << 20) == 1 && mallopt(M_TRIM_THRESHOLD, 1 << 30) == 1;

}  // namespace
}  // namespace edt
