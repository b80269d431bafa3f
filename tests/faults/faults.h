// What the faults of this program ask of the calls that it stands around (faulty_calls.cpp).
#pragma once

#include <string_view>

namespace edt::test {

// Whether any call, or the result of any collective, is to go wrong.
bool has_faulty_calls();
bool has_faulty_results();
// Whether this is the call of `name` that is to go wrong.
bool call_goes_wrong(std::string_view name);
bool result_goes_wrong(std::string_view collective);
bool skips_this_wait();

}  // namespace edt::test
