#[allow(clippy::unused_async)]
async fn r#charge(r#type: u8, size: u64, note: String) -> Outcome {
    body()
}
///The ways to enqueue the job `charge` and to wait for it.
#[allow(
    dead_code,
    deprecated,
    missing_copy_implementations,
    missing_debug_implementations,
    non_camel_case_types,
    private_interfaces,
    unnameable_types,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::pedantic
)]
struct r#charge {}
#[allow(
    dead_code,
    deprecated,
    missing_copy_implementations,
    missing_debug_implementations,
    non_camel_case_types,
    private_interfaces,
    unnameable_types,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::pedantic
)]
const _: () = {
    use app::jobs::pgjobq::__private as __pgjobq;
    type __Job = r#charge;
    impl __Job {
        /// The name under which the database stores jobs of this kind.
        pub const KIND: &'static str = "billing/charge";
        ///Makes a `charge` job, which has options and is not enqueued yet.
        pub fn job(
            r#type: u8,
            size: u64,
            note: String,
        ) -> __pgjobq::NewJob<<Outcome as __pgjobq::JobReturn>::Value> {
            let computed_0 = __pgjobq::Attribute::value(&r#type);
            let computed_1 = __pgjobq::Attribute::value(size.max(1));
            let computed_2 = __pgjobq::Attribute::value(3);
            __stored::<<Outcome as __pgjobq::JobReturn>::Value, u8, u64, String>()
                .0(&__Args { r#type, size, note })
                .attribute("type", computed_0)
                .attribute("charge.size", computed_1)
                .attribute("version", computed_2)
        }
        ///Makes a `charge` step of a workflow. Each argument is a value, or comes from another step: its `output()` or `result()`.
        pub fn step(
            r#type: impl __pgjobq::Input<u8>,
            size: impl __pgjobq::Input<u64>,
            note: impl __pgjobq::Input<String>,
        ) -> __pgjobq::NewStep<<Outcome as __pgjobq::JobReturn>::Value> {
            let r#type = __pgjobq::Input::<u8>::given(r#type);
            let size = __pgjobq::Input::<u64>::given(size);
            let (r#type, computed_0) = match (r#type,) {
                (__pgjobq::Given::Value(r#type, encode_0),) => {
                    let computed_0 = ::core::option::Option::Some(
                        __pgjobq::Attribute::value(&r#type),
                    );
                    (__pgjobq::Given::Value(r#type, encode_0), computed_0)
                }
                (r#type,) => (r#type, ::core::option::Option::None),
            };
            let (size, computed_1) = match (size,) {
                (__pgjobq::Given::Value(size, encode_0),) => {
                    let computed_1 = ::core::option::Option::Some(
                        __pgjobq::Attribute::value(size.max(1)),
                    );
                    (__pgjobq::Given::Value(size, encode_0), computed_1)
                }
                (size,) => (size, ::core::option::Option::None),
            };
            let computed_2 = ::core::option::Option::Some(__pgjobq::Attribute::value(3));
            __pgjobq::NewStep::new(
                    Self::KIND,
                    &__POLICY,
                    [
                        r#type.source("type"),
                        size.source("size"),
                        __pgjobq::Input::<String>::source(note, "note"),
                    ],
                )
                .computed("type", computed_0)
                .computed("charge.size", computed_1)
                .computed("version", computed_2)
        }
        ///Makes a schedule of `charge` jobs with these arguments: from a cron pattern, such as `0 9 * * MON-FRI`, or an interval, such as `every 10m`.
        pub fn schedule(
            text: impl ::core::convert::Into<::std::string::String>,
            r#type: u8,
            size: u64,
            note: String,
        ) -> __pgjobq::NewSchedule {
            __pgjobq::NewSchedule::new(text, Self::job(r#type, size, note))
        }
        ///Returns the handle of the `charge` job with this id.
        #[must_use]
        pub fn handle(
            id: impl ::core::convert::Into<__pgjobq::JobId>,
        ) -> __pgjobq::JobHandle<<Outcome as __pgjobq::JobReturn>::Value> {
            __pgjobq::JobHandle::from_id(
                ::core::convert::Into::into(id),
                Self::KIND,
                &__POLICY,
            )
        }
        ///Enqueues a `charge` job: to `&client`, `&pool`, `&mut *connection` or `&mut *transaction`.
        ///
        /// # Errors
        ///
        /// A mistake in the job, a queue that does not exist, and errors of the database.
        pub async fn enqueue(
            to: impl __pgjobq::Target,
            r#type: u8,
            size: u64,
            note: String,
        ) -> ::core::result::Result<
            __pgjobq::JobHandle<<Outcome as __pgjobq::JobReturn>::Value>,
            __pgjobq::EnqueueError,
        > {
            Self::job(r#type, size, note).enqueue(to).await
        }
        ///Enqueues a `charge` job, waits until it ends, and returns its result.
        ///
        /// # Errors
        ///
        /// The errors of the enqueue and of the wait, and an end without a result.
        pub async fn call(
            client: &__pgjobq::Client,
            r#type: u8,
            size: u64,
            note: String,
        ) -> ::core::result::Result<
            <Outcome as __pgjobq::JobReturn>::Value,
            __pgjobq::CallError,
        > {
            __call::<
                <Outcome as __pgjobq::JobReturn>::Value,
            >(Self::job(r#type, size, note), client)
                .await
        }
        #[doc(hidden)]
        pub const __ARGS: &'static [&'static str] = &["type", "size", "note"];
        #[doc(hidden)]
        pub fn __args(
            args: &__pgjobq::StoredArgs<'_>,
        ) -> ::core::result::Result<__Args<u8, u64, String>, __pgjobq::JobError> {
            __decode(args)
        }
    }
    #[derive(__pgjobq::serde::Serialize, __pgjobq::serde::Deserialize)]
    #[serde(crate = "__pgjobq::serde")]
    #[doc(hidden)]
    pub struct __Args<__0, __1, __2> {
        pub r#type: __0,
        pub size: __1,
        pub note: __2,
    }
    type __NewJob<__T, __A> = fn(&__A) -> __pgjobq::NewJob<__T>;
    type __Decode<__A> = fn(
        &__pgjobq::StoredArgs<'_>,
    ) -> ::core::result::Result<__A, __pgjobq::JobError>;
    type __Shape = fn() -> ::std::vec::Vec<__pgjobq::ArgumentShape>;
    fn __stored<
        __T,
        __0: __pgjobq::Argument,
        __1: __pgjobq::Argument,
        __2: __pgjobq::Argument,
    >() -> (
        __NewJob<__T, __Args<__0, __1, __2>>,
        __Decode<__Args<__0, __1, __2>>,
        __Shape,
    ) {
        (
            |args| __pgjobq::NewJob::new(__Job::KIND, &__POLICY, args),
            |args| args.decode(),
            || {
                ::std::vec![
                    __pgjobq::ArgumentShape { name : "type", ty : "u8", inside :
                    __pgjobq::shape_of!(__0) }, __pgjobq::ArgumentShape { name : "size",
                    ty : "u64", inside : __pgjobq::shape_of!(__1) },
                    __pgjobq::ArgumentShape { name : "note", ty : "String", inside :
                    __pgjobq::shape_of!(__2) }
                ]
            },
        )
    }
    fn __decode(
        stored: &__pgjobq::StoredArgs<'_>,
    ) -> ::core::result::Result<__Args<u8, u64, String>, __pgjobq::JobError> {
        __stored::<(), u8, u64, String>().1(stored)
    }
    const __POLICY: __pgjobq::Policy = __pgjobq::Policy::DEFAULT
        .queue("billing")
        .retries(0u16)
        .priority(__pgjobq::Priority::Critical)
        .timeout(::core::time::Duration::from_millis(1500u64))
        .backoff(
            __pgjobq::Backoff::exponential(
                ::core::time::Duration::from_secs(30u64),
                ::core::time::Duration::from_secs(30u64),
            ),
        )
        .max_crashes(1u16)
        .retain(::core::time::Duration::from_secs(0u64));
    async fn __run(
        context: __pgjobq::JobContext,
        args: &__pgjobq::serde_json::value::RawValue,
    ) -> ::core::result::Result<
        ::std::boxed::Box<__pgjobq::serde_json::value::RawValue>,
        __pgjobq::JobError,
    > {
        let args = __decode(&context.stored(args))?;
        <Outcome as __pgjobq::JobReturn>::encode(
            r#charge(args.r#type, args.size, args.note).await,
        )
    }
    const _: () = {
        use ::std::boxed::Box;
        #[doc(hidden)]
        #[__pgjobq::async_trait]
        impl __pgjobq::Handler for __Job {
            async fn run(
                &self,
                context: __pgjobq::JobContext,
                args: &__pgjobq::serde_json::value::RawValue,
            ) -> ::core::result::Result<
                Box<__pgjobq::serde_json::value::RawValue>,
                __pgjobq::JobError,
            > {
                __run(context, args).await
            }
            fn check(
                &self,
                args: &__pgjobq::StoredArgs<'_>,
            ) -> ::core::result::Result<(), __pgjobq::JobError> {
                __decode(args).map(|_| ())
            }
            fn shape(&self) -> ::std::vec::Vec<__pgjobq::ArgumentShape> {
                __stored::<(), u8, u64, String>().2()
            }
        }
    };
    __pgjobq::inventory::submit! {
        __pgjobq::JobDescriptor { kind : __Job::KIND, aliases : & ["charge", "pay"],
        policy : __POLICY, scheduled : ::core::option::Option::None, handler : & __Job
        {}, batch : ::core::option::Option::None, states : & [], module :
        ::core::module_path!(), file : ::core::file!(), line : ::core::line!(), }
    }
    async fn __call<T: __pgjobq::StoredResult>(
        job: __pgjobq::NewJob<T>,
        client: &__pgjobq::Client,
    ) -> ::core::result::Result<T, __pgjobq::CallError> {
        job.call(client).await
    }
    type __Value = <Outcome as __pgjobq::JobReturn>::Value;
    const fn __unkept<T: __pgjobq::Unkept>() {}
    const _: () = __unkept::<__Value>();
};
