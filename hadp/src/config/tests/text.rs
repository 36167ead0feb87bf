//! Lines, includes, conditions and macros, seen through what comes of them.

use super::*;

/// Returns the names and priorities of the instances of a text without problems.
fn seen(text: &str) -> Vec<(String, u8)> {
    clean(text).routers.into_iter().map(|router| (router.name, router.priority.get())).collect()
}

fn priority(statements: &str) -> u8 {
    router(statements).priority.get()
}

#[test]
fn braces_stand_anywhere() {
    let one_line = "vrrp_instance A { interface e }";
    assert_eq!(lines(&load_text(one_line)).len(), 2, "one line: {:?}", lines(&load_text(one_line)));
    for text in [
        "vrrp_instance A\n{\ninterface e\nvirtual_router_id 1\nvirtual_ipaddress\n\n{\n10.0.0.1\n}\n}",
        "vrrp_instance A{\ninterface e\nvirtual_router_id 1\nvirtual_ipaddress{10.0.0.1}}",
        "vrrp_instance A { interface e\nvirtual_router_id 1\n} # none\nvrrp_instance",
        "\u{feff}vrrp_instance A {\r\ninterface e\r\nvirtual_router_id 1\r\nvirtual_ipaddress {\r\n10.0.0.1\r\n}\r\n}\r\n",
    ] {
        let loaded = load_text(text);
        let good = !text.ends_with("vrrp_instance");
        assert_eq!(loaded.config.is_some(), good, "{text}: {:?}", lines(&loaded));
    }
}

#[test]
fn conditions_depend_on_the_id() {
    assert_eq!(priority("@n1 priority 1\n@n2 priority 2"), 1);
    assert_eq!(priority("@^n1 priority 1\n@^n2 priority 2"), 2);
    assert_eq!(priority("@^n2 @n1 priority 3\n@^n2 @n2 priority 4"), 3);
    assert_eq!(priority("@n1 $P=7\n@n2 $P=8\npriority $P"), 7);
    assert_eq!(priority("$ON=@n1\n$OFF=@n2\n$ON priority 5\n$OFF priority 6"), 5);
}

#[test]
fn macros() {
    assert_eq!(priority("$P=12\npriority $P"), 12);
    assert_eq!(priority("$A=1\n$B=${A}2\n$A=3\npriority ${B}"), 32, "replaced where used, not where defined");
    assert_eq!(priority("$P=9 # nine\npriority $P ! nine"), 9);
    assert_eq!(priority("$E=\npriority 4$E"), 4);
    assert_eq!(router("interface ${_ENV IFACE}").interface, "eth7");
    let with_id =
        clean(&format!("{}global_defs {{ router_id ${{_INSTANCE}}${{_HASH}}${{_BANG}} }}", instance("")));
    assert_eq!(with_id.global.router_id.as_deref(), Some("n1#!"));
    let with_pwd = clean(&format!("{}global_defs {{\nrouter_id ${{_PWD}}/x }}", instance("")));
    assert_eq!(with_pwd.global.router_id.as_deref(), Some("/etc/x"));
}

#[test]
fn macros_of_several_lines() {
    let text = "$VI= \\\n vrrp_instance VI_${N} { \\\n interface e \\\n virtual_router_id ${N} \\\n\
                @n1 priority 1${N} \\\n @n2 priority 2${N} \\\n virtual_ipaddress { \\\n 10.0.${N}.1 \\\n } \\\n }\n\
                $N=1\n$VI\n$N=2\n$VI\n@n2 $VI= \\\nnever \\\nseen\n~SEQ(N, 3, 4) $VI\n~LST({N, M}, {5, x}, {6, y}) $VI\n";
    let expected = [("VI_1", 11), ("VI_2", 12), ("VI_3", 13), ("VI_4", 14), ("VI_5", 15), ("VI_6", 16)];
    assert_eq!(seen(text), expected.map(|(name, priority)| (name.to_owned(), priority)));
}

#[test]
fn sequences_nest() {
    let text = "vrrp_instance V {\ninterface e\nvirtual_router_id 1\nvirtual_ipaddress {\n\
                $TOP=2\n~SEQ(A, 1, $TOP) ~LST(B, 7, 8) 10.0.${A}.${B}\n}\n}\n";
    let vips: Vec<String> = clean(text).routers[0].vips.iter().map(|vip| vip.addr.to_string()).collect();
    assert_eq!(vips, ["10.0.1.7", "10.0.1.8", "10.0.2.7", "10.0.2.8"]);
}

#[test]
fn problems_in_macros_are_where_the_macro_is_used() {
    let loaded =
        load_text(&instance("$BAD=300\npriority $BAD\n$LINES= \\\n state MASTER \\\n foo 1\n  $LINES"));
    assert_eq!(
        lines(&loaded),
        ["6:10 error priority 300 is out of range", "10:3 warning unknown keyword `foo` in `vrrp_instance`"]
    );
}

#[test]
fn macros_that_do_not_end_are_refused() {
    for (text, at) in [
        ("$A=$A\nrouter $A\n", "2:8"),
        ("$A=${B}${B}\n$B=${A}${A}\n$A\n", "3:1"),
        ("$A= \\\n $A \\\n $A\n$A\n", "4:1"),
        ("$A=x${A}\n${A}\n", "2:1"),
    ] {
        let found = lines(&load_text(text));
        assert!(
            found.iter().any(|line| line.starts_with(&format!("{at} error the macro"))),
            "{text}: {found:?}"
        );
    }
}

#[test]
fn undefined_macros_are_left_and_named() {
    let loaded = load_text(&instance("$PRIO=3\npriority $PRI\nstate ${STATE}\nnotify \"echo ${HOME} $PRI\""));
    assert_eq!(
        lines(&loaded),
        [
            "6:10 warning macro `PRI` is not defined",
            "6:10 error priority takes a whole number, not `$PRI`",
            "7:7 warning macro `STATE` is not defined",
            "7:7 warning unknown state `${STATE}` is taken for BACKUP",
            "8:1 unsupported `notify` is not implemented yet and has no effect",
        ]
    );
}

#[test]
fn includes() {
    let part = instance("priority 5");
    let loaded = load_files(&[
        ("/etc/hadp.conf", b"include conf.d/*.conf\ninclude none/*.conf\ninclude {a,b}.inc\n"),
        ("/etc/conf.d/10.conf", b"include ../deep/vi.conf\n"),
        ("/etc/conf.d/../deep/vi.conf", part.as_bytes()),
        ("/etc/conf.d/20.conf", b"global_defs { router_id ${_PWD} }\nbar 1\n"),
        ("/etc/conf.d/.hidden.conf", b"never read"),
        ("/etc/b.inc", b"foo 1\n"),
    ]);
    let found: Vec<_> = loaded.report.diagnostics().iter().map(super::super::Diagnostic::compact).collect();
    assert_eq!(
        found,
        [
            "/etc/conf.d/20.conf:2:1: warning: unknown keyword `bar` in the configuration",
            "/etc/b.inc:1:1: warning: unknown keyword `foo` in the configuration",
        ]
    );
    let config = loaded.config.unwrap();
    assert_eq!((config.routers.len(), config.global.router_id.as_deref()), (1, Some("/etc/conf.d")));
}

#[test]
fn what_includes_demand() {
    for (line, problem) in [
        ("include gone.conf", Some("1:9 warning no file matches `gone.conf`")),
        ("includer gone.conf", Some("1:10 error no file matches `gone.conf`")),
        ("includem gone/*", None),
        ("includew gone/*", Some("1:10 error no file matches `gone/*`")),
        ("includeb {gone,x}.inc", Some("1:10 error no file matches `gone.inc`")),
        ("includea \"gone/*\"", Some("1:10 error no file matches `gone/*`")),
        ("include", Some("1:1 error `include` needs a file name")),
        (
            "include hadp.conf",
            Some(
                "1:9 error cannot read `/etc/hadp.conf`: it is being read already, so it would include itself",
            ),
        ),
        ("include dir", Some("1:9 warning `/etc/dir` is not a regular file and is skipped")),
    ] {
        let text = format!("{line}\n{}", instance(""));
        let loaded =
            load_files(&[("/etc/hadp.conf", text.as_bytes()), ("/etc/x.inc", b""), ("/etc/dir/y", b"")]);
        assert_eq!(
            lines(&loaded),
            problem.map_or_else(Vec::new, |problem| vec![problem.to_owned()]),
            "{line}"
        );
    }
}

#[test]
fn a_directory_is_its_conf_files() {
    let memory = Memory(BTreeMap::from([
        ("/etc/d/b.conf".into(), instance("").into_bytes()),
        ("/etc/d/a.conf".into(), b"global_defs { router_id x }".to_vec()),
        ("/etc/d/README".into(), b"not read".to_vec()),
    ]));
    for path in ["/etc/d", "/etc/d/*.conf", "/etc/d/{b,a}.conf"] {
        let loaded = load_from(&memory, Path::new(path), &options());
        assert_eq!(lines(&loaded), Vec::<String>::new());
        assert_eq!(loaded.config.unwrap().global.router_id.as_deref(), Some("x"));
    }
    let none = load_from(&memory, Path::new("/etc/none/*.conf"), &options());
    assert_eq!((none.config, none.report.exit_code()), (None, 5));
    assert!(none.report.render(false).contains("cannot read `/etc/none/*.conf`"));
}

#[test]
fn the_machines_own_files() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    std::fs::create_dir(dir.path().join("conf.d")).unwrap();
    write("main.conf", "include conf.d/*.conf\nglobal_defs {\nrouter_id ${_PWD}\n}\n");
    write("conf.d/a.conf", &instance("priority 5"));
    write("conf.d/loop.conf", "include ../main.conf\n");
    let loaded = crate::config::load(&dir.path().join("main.conf"), &options());
    let [only] = loaded.report.diagnostics() else { panic!("{:?}", lines(&loaded)) };
    assert!(
        only.message.ends_with("it is being read already, so it would include itself"),
        "{}",
        only.message
    );
    std::fs::remove_file(dir.path().join("conf.d/loop.conf")).unwrap();
    let config = crate::config::load(dir.path(), &options()).config.unwrap();
    let pwd = dir.path().canonicalize().unwrap();
    assert_eq!(config.global.router_id.as_deref(), pwd.to_str());
    assert_eq!(config.routers[0].priority.get(), 5);
    let missing = crate::config::load(&dir.path().join("gone.conf"), &options());
    assert_eq!((missing.config, missing.report.exit_code()), (None, 5));
}
