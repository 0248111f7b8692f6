//! The products and what each is told: as little as it needs to run here, so that the rest is as people have it.

use std::{net::SocketAddr, path::Path, time::Duration};

use crate::documents;

/// A proxy that people run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// nginx as docs/operating.md says; answers are buffered, as by default.
    Nginx,
    /// nginx without the lines that pass an upgrade on: HTTP/1.0 to the server, no upgrade.
    NginxWithoutUpgrade,
    /// The same with ModSecurity and the OWASP core rule set, which reads bodies of every type for attacks. A client says
    /// `localhost`: that an address is a number counts as half of an attack.
    ModSecurity,
    /// HAProxy, which passes an upgrade on and then counts by its `timeout tunnel`.
    Haproxy,
    /// Squid, the forward proxy of a company: plain requests with a whole address, CONNECT for the rest.
    Squid,
}

impl Product {
    pub(super) fn program(self) -> &'static str {
        match self {
            Self::Nginx | Self::NginxWithoutUpgrade | Self::ModSecurity => "nginx",
            Self::Haproxy => "haproxy",
            Self::Squid => "squid",
        }
    }

    /// Runs it in the foreground, as one process that ends when it is killed.
    pub(super) fn arguments(self, config: &str) -> Vec<String> {
        let words: &[&str] = match self {
            // Until it has read its configuration, nginx logs to a file of the system's.
            Self::Nginx | Self::NginxWithoutUpgrade | Self::ModSecurity => &["-e", "stderr", "-c"],
            Self::Haproxy => &["-db", "-f"],
            Self::Squid => &["-N", "-d", "1", "-f"],
        };
        let words = words.iter().copied().chain([config]);
        words.map(str::to_owned).collect()
    }

    /// What it needs to run here, around the lines that say what it is for.
    pub(super) fn config(self, site: &str, patience: Duration, directory: &Path) -> String {
        let directory = directory.display();
        let (millis, secs) = (patience.as_millis(), patience.as_secs_f64().ceil());
        match self {
            Self::Nginx | Self::NginxWithoutUpgrade | Self::ModSecurity => format!(
                "{}daemon off; master_process off; pid {directory}/pid; error_log stderr;
                events {{ worker_connections 4096; }}
                http {{
                    access_log off; proxy_read_timeout {millis}ms;
                    client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
                    fastcgi_temp_path {directory}/fastcgi; uwsgi_temp_path {directory}/uwsgi;
                    scgi_temp_path {directory}/scgi;
                    {}
                    {}
                }}",
                if self == Self::ModSecurity {
                    MODSECURITY
                } else {
                    ""
                },
                if self == Self::ModSecurity { RULES } else { "" },
                self.speaking(site)
            ),
            Self::Haproxy => format!(
                "defaults\n mode http\n timeout connect 5s\n timeout client 60s\n \
                 timeout server {millis}ms\n timeout tunnel {millis}ms\n\
                 {site}"
            ),
            // The limit on descriptors is the room that it takes at once, and the system's may be a million.
            Self::Squid => format!(
                "{site}http_access allow all\nvisible_hostname middlebox\n\
                 read_timeout {secs} seconds\nmax_filedescriptors 1024\ncache deny all\n\
                 access_log none\ncache_log /dev/null\npid_filename none\ncoredump_dir {directory}\n\
                 pinger_enable off\nshutdown_lifetime 0 seconds\n"
            ),
        }
    }

    /// The lines that send all to this server. For nginx they are those of docs/operating.md, for all paths.
    pub(super) fn site(self, listen: SocketAddr, upstream: SocketAddr) -> String {
        match self {
            Self::Nginx | Self::NginxWithoutUpgrade | Self::ModSecurity => {
                let location = documents::block(documents::OPERATING, "Proxies", "nginx")
                    .replace("location /live ", "location / ")
                    .replace("127.0.0.1:3030", &upstream.to_string());
                format!("server {{\n listen {listen};\n {location}\n}}")
            }
            Self::Haproxy => format!(
                "frontend clients\n bind {listen}\n default_backend servers\n\
                 backend servers\n server one {upstream}\n"
            ),
            Self::Squid => format!("http_port {listen}\n"),
        }
    }

    /// The lines as this product has them: without those that pass an upgrade on, if it is to have none.
    fn speaking(self, site: &str) -> String {
        let lines = site.lines().filter(|line| {
            self == Self::Nginx || !(line.contains("http_version") || line.contains("pgrade"))
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

const MODSECURITY: &str = "load_module /usr/lib/nginx/modules/ngx_http_modsecurity_module.so;\n";

/// The core rule set as Debian has it, with the settings of a site that takes these types and has bodies of every type read
/// (its rules 900220 and 900010). The limits are those of Debian's configuration.
const RULES: &str = r#"modsecurity on;
modsecurity_rules '
    SecRuleEngine On
    SecRequestBodyAccess On
    SecRequestBodyLimit 13107200
    SecRequestBodyNoFilesLimit 131072
    SecRequestBodyLimitAction Reject
    SecRule REQBODY_ERROR "!@eq 0" "id:200002,phase:2,t:none,log,deny,status:400"
    SecResponseBodyAccess Off
    SecAuditEngine Off
    Include /etc/modsecurity/crs/crs-setup.conf
    SecAction "id:900010,phase:1,nolog,pass,t:none,setvar:tx.enforce_bodyproc_urlencoded=1"
    SecAction "id:900220,phase:1,nolog,pass,t:none,setvar:\'tx.allowed_request_content_type=|application/x-www-form-urlencoded| |multipart/form-data| |application/json| |text/plain| |application/octet-stream|\'"
    Include /usr/share/modsecurity-crs/rules/*.conf
';"#;
