# cmake -DCOMPILER=cc -DROOT=dir -DSOURCE=file.c -P expect_failure.cmake
cmake_minimum_required(VERSION 3.25)
set(command "${COMPILER}" -std=gnu17 -S -o /dev/null -Wall -Wextra -Werror -DHOLDFAST_HOST=1
	"-I${ROOT}" "${SOURCE}")

execute_process(COMMAND ${command} RESULT_VARIABLE result ERROR_VARIABLE messages)
if(NOT result EQUAL 0)
	message(FATAL_ERROR "${SOURCE} does not compile even without the misuse:\n${messages}")
endif()

file(STRINGS "${SOURCE}" expected REGEX "expect: ")
if(NOT expected)
	message(FATAL_ERROR "${SOURCE} does not say what to expect")
endif()
string(REGEX REPLACE ".*expect: (.*) \\*/" "\\1" expected "${expected}")

# The C locale keeps the compiler's quotation marks and words as they are written here.
execute_process(COMMAND "${CMAKE_COMMAND}" -E env LC_ALL=C ${command} -DMISUSE
	RESULT_VARIABLE result ERROR_VARIABLE messages)
if(result EQUAL 0)
	message(FATAL_ERROR "${SOURCE}: the misuse compiles")
endif()
if(NOT messages MATCHES "${expected}")
	message(FATAL_ERROR "${SOURCE}: expected \"${expected}\", got:\n${messages}")
endif()
