// How long the GPU works on something. Events around the work would also count the time that the
// host takes to ask for it, several microseconds a kernel; so it is asked for behind a head start:
// memory is cleared for about a millisecond (at 3 TB/s). It is more than caches hold, so the work
// begins without its operands in them.
#include "core/cuda/error.h"
#include "core/cuda/on_stream.h"

namespace edt {

double seconds_on(cudaStream_t stream, Block& head_start, Memory& memory,
                  const std::function<void()>& work) {
  constexpr std::size_t kBytes = std::size_t{128} << 20;
  constexpr int kTimes = 24;
  if (head_start.bytes() == 0) head_start = Block(memory, kBytes);
  const TimedEvent begin, end;
  synchronize_on(stream);
  for (int i = 0; i < kTimes; ++i) {
    check_cuda(cudaMemsetAsync(head_start.data(), 0, kBytes, stream), "clearing memory");
  }
  begin.record(stream);
  work();
  end.record(stream);
  return end.seconds_since(begin);
}

}  // namespace edt
