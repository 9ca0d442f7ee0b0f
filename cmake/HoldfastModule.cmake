# SPDX-License-Identifier: MIT

# holdfast_module(NAME [PURE a.c ...] [HARDWARE b.c c.S ...] [HOT a.c ...])
#
# NAME_host is PURE built for the host; NAME_kernel is PURE and HARDWARE built for the kernel. PURE
# sources use base/, other pure files, their arguments and ports: no assembly, MMIO, mutable
# globals, clock. Both lists end in holdfast_sources.txt for the checks in tools/.
#
# HOT names those of either list that each request to a disk runs through. They are many small
# functions in files that must stay apart (the tests replace some), so the kernel's linker inlines
# them across files and modules. Not the rest: that would cost 7 s at each link.
function(holdfast_module name)
	cmake_parse_arguments(M "" "" "PURE;HARDWARE;HOT" ${ARGN})
	foreach(source ${M_PURE})
		file(APPEND "${CMAKE_BINARY_DIR}/holdfast_sources.txt" "${name} PURE ${name}/${source}\n")
	endforeach()
	foreach(source ${M_HARDWARE})
		file(APPEND "${CMAKE_BINARY_DIR}/holdfast_sources.txt" "${name} HARDWARE ${name}/${source}\n")
	endforeach()
	if(M_PURE)
		add_library(${name}_host STATIC ${M_PURE})
		target_link_libraries(${name}_host PUBLIC holdfast_host_flags)
		# Programs and shared objects (the nbdkit plugin) link the same archive.
		set_target_properties(${name}_host PROPERTIES POSITION_INDEPENDENT_CODE ON)
	endif()
	if(HOLDFAST_KERNEL)
		set(others ${M_PURE} ${M_HARDWARE})
		if(M_HOT)
			list(REMOVE_ITEM others ${M_HOT})
			add_library(${name}_hot OBJECT ${M_HOT})
			target_link_libraries(${name}_hot PRIVATE holdfast_kernel_flags holdfast_hot_flags)
			list(APPEND others "$<TARGET_OBJECTS:${name}_hot>")
		endif()
		add_library(${name}_kernel STATIC ${others})
		target_link_libraries(${name}_kernel PUBLIC holdfast_kernel_flags)
	endif()
endfunction()

# holdfast_unit_test(NAME SOURCES a.c ... LINK target-or-library ... [LABELS ...])
#
# A cmocka program run by ctest under the labels unit and quick. `tests/unit/support` supplies
# check_failed() for the host.
function(holdfast_unit_test name)
	cmake_parse_arguments(T "" "" "SOURCES;LINK;LABELS" ${ARGN})
	if(NOT HOLDFAST_TESTS)
		return()
	endif()
	add_executable(${name} ${T_SOURCES})
	target_link_libraries(${name} PRIVATE ${T_LINK} base_host host_support cmocka)
	target_link_libraries(${name} PRIVATE holdfast_host_flags)
	add_test(NAME ${name} COMMAND ${name})
	if(NOT T_LABELS)
		set(T_LABELS unit quick)
	endif()
	set_tests_properties(${name} PROPERTIES LABELS "${T_LABELS}" TIMEOUT 300)
endfunction()
